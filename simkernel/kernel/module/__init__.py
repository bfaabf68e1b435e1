"""Loaded modules: declaration, state, references, and the table of their registrations."""
