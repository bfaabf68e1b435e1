"""The command line: `simkernel list | run | describe | guide | lessons | bench | plot | calibrate`."""

from simkernel.cli.main import main

__all__ = ["main"]
