"""strace(1) for simulated programs."""

from simkernel.trace.strace.strace import Strace

__all__ = ["Strace"]
