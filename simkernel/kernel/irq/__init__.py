"""Interrupts: lines, handlers, their threads, and unhandled interrupts."""
