"""The command line: `simkernel list | run | describe | guide | bench | plot`."""

from simkernel.cli.main import main

__all__ = ["main"]
