"""The command line: `simkernel list | run | describe | guide`."""

from simkernel.cli.main import main

__all__ = ["main"]
