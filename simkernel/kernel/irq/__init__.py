"""Interrupts: lines, handlers, their threads, and what is done about a line that nobody cares for."""
