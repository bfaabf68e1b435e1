"""A loaded module: its declaration, its state, its references, and what it has registered."""
