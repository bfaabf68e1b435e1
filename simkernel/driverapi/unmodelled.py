"""Saying that something is not modelled, where a driver would have to pretend otherwise.

raise unmodelled(this, "an absolute axis", EINVAL)
"""

from __future__ import annotations

from simkernel.driverapi.context import kernel_of
from simkernel.kernel.module.module import ThisModule


def unmodelled(this: ThisModule, what: str, number: int) -> Exception:
    """The exception to raise where `what` was asked for; `number` is Linux's errno for what it lacks."""
    return kernel_of(this).unmodelled(what, number)
