"""The system calls: a table of their handlers, and one file for each group of calls."""
