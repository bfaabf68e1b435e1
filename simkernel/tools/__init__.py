"""Tools that the command line runs: benchmarks, calibration, and the comparison with other tools."""
