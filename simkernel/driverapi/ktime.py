"""include/linux/timekeeping.h: the clock."""

from __future__ import annotations

from simkernel.driverapi.context import kernel_of
from simkernel.kernel.module.module import ThisModule


def ktime_get(this: ThisModule) -> int:
    """Nanoseconds since the machine was switched on."""
    return kernel_of(this).engine.time()


def ktime_mono_to_real(this: ThisModule, time: int) -> int:
    """What the realtime clock showed at `time` ns: a machine is switched on at the epoch."""
    return time
