"""Benchmarks, calibration, plots and the comparison, which the command line runs."""
