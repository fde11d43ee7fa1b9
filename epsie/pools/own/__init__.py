"""Our own pool of worker processes."""
