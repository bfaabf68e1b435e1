"""`simkernel diff`: the first difference between a run and the default run."""

from simkernel.cli.explain import diff as command

__all__ = ["command"]
