"""What has been sampled, seen alike wherever it is: in memory or on disk."""
