"""The learning of a target, by a chain or many together, and the moves that are made with it."""
