"""include/linux/timekeeping.h: the clock."""

from __future__ import annotations

from simkernel.kernel.module.module import LoadedModule

__all__ = ["ktime_get"]


def ktime_get(this: LoadedModule) -> int:
    """Nanoseconds since the machine was switched on."""
    return this.kernel.engine.time()
