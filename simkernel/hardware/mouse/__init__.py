"""The mouse."""
