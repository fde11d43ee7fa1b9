"""Results: a run seen alike in memory and on disk, and all that looks at it."""
