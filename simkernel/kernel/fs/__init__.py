"""File systems, and files that lie in none."""
