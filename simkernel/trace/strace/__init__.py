"""Traces of system calls in the format of strace(1)."""

from simkernel.trace.strace.strace import Strace

__all__ = ["Strace"]
