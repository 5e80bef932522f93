"""How a node is configured and started: environment and files become frozen configuration, then running actors."""
