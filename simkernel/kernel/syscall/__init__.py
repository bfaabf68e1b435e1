"""System calls: the table, and a file for each group of calls."""
