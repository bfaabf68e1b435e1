"""include/linux/timekeeping.h: the clock."""

from __future__ import annotations

from simkernel.kernel.module.module import LoadedModule

__all__ = ["ktime_get", "ktime_mono_to_real"]


def ktime_get(this: LoadedModule) -> int:
    """Nanoseconds since the machine was switched on."""
    return this.kernel.engine.time()


def ktime_mono_to_real(this: LoadedModule, time: int) -> int:
    """What the realtime clock showed at `time` ns: a machine is switched on at the epoch."""
    return time
