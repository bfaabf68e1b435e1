"""Calibration: the operations that a real kernel was measured with, run here, compared, and fitted to."""
