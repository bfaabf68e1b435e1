"""What stands behind the command line: benchmarks, calibration, plots, the comparison."""
