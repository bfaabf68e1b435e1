"""include/linux/iopoll.h: polling a register until a condition holds."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from simkernel.driverapi.context import may_sleep
from simkernel.driverapi.delay import fsleep
from simkernel.driverapi.io import IoMemory, readl
from simkernel.driverapi.ktime import ktime_get
from simkernel.engine import MICROSECOND
from simkernel.kernel.module.awaiting import sleeps
from simkernel.kernel.module.module import ThisModule
from simkernel.uapi.errno import ETIMEDOUT, os_error


@sleeps
def read_poll_timeout(
    this: ThisModule,
    read: Callable[[], int],
    condition: Callable[[int], bool],
    sleep_us: int,
    timeout_us: int,
) -> Awaitable[int]:
    """Call `read` until `condition` is true for its result, and return the result.

    Sleep `sleep_us` microseconds between the calls. Raise ETIMEDOUT after `timeout_us` microseconds.
    """

    async def poll() -> int:
        deadline = ktime_get(this) + timeout_us * MICROSECOND
        while not condition(value := read()):
            if ktime_get(this) > deadline:
                if condition(value := read()):  # the condition may have become true during the last sleep
                    break
                raise os_error(ETIMEDOUT)
            await fsleep(this, sleep_us)
        return value

    return may_sleep(this, "read_poll_timeout", poll)


@sleeps
def readl_poll_timeout(
    this: ThisModule,
    io: IoMemory,
    offset: int,
    condition: Callable[[int], bool],
    sleep_us: int,
    timeout_us: int,
) -> Awaitable[int]:
    """Poll the register at `offset` like `read_poll_timeout`."""
    return read_poll_timeout(this, lambda: readl(io, offset), condition, sleep_us, timeout_us)
