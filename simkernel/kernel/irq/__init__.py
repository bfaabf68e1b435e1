"""Interrupt handling: lines, handlers, handler threads and unhandled interrupts."""
