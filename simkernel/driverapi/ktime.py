"""include/linux/timekeeping.h: the monotonic and the realtime clock."""

from __future__ import annotations

from simkernel.driverapi.context import kernel_of
from simkernel.kernel.module.module import ThisModule


def ktime_get(this: ThisModule) -> int:
    """Return the nanoseconds since the machine was switched on."""
    return kernel_of(this).engine.time()


def ktime_mono_to_real(this: ThisModule, time: int) -> int:
    """Convert a time in ns from the monotonic to the realtime clock. The result is equal to `time`, because a
    simulated machine is always switched on at the start of 1970.
    """
    return time
