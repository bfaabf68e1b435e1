"""Kernel timers."""
