"""A run as it goes: progress, when to stop, and saving to a directory."""
