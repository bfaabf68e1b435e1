"""Modules: found, compiled, linked, started, counted, stopped, and what they registered."""
