"""`simkernel diff`: the first difference between a run with perturbations and the same run without them."""

from simkernel.cli.explain import diff as command

__all__ = ["command"]
