"""`simkernel diff`."""

from simkernel.cli.explain import diff as command

__all__ = ["command"]
