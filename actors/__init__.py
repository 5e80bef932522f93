"""The actors, one a file, and the pure cores that decide for them."""
