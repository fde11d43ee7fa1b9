"""The process itself: its signals, its threads, and how work in it is given up."""
