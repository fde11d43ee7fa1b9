"""What a chain, or many together, learn of a target, and the moves that are made with it."""
