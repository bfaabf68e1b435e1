"""Saying that something is not modelled, where a driver would have to pretend otherwise.

raise unmodelled(this, "an absolute axis", EINVAL)
"""

from __future__ import annotations

from simkernel.kernel.module.module import LoadedModule

__all__ = ["unmodelled"]


def unmodelled(this: LoadedModule, what: str, number: int) -> Exception:
    """The exception to raise where `what` was asked for; `number` is Linux's errno for what it lacks."""
    return this.kernel.unmodelled(what, number)
