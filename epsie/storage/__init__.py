"""States and runs on disk."""
