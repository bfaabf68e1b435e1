"""A virtual mouse."""
