"""include/linux/delay.h: sleeping, and waiting without sleeping."""

from __future__ import annotations

from collections.abc import Awaitable

from simkernel.driverapi.context import may_sleep
from simkernel.engine import MICROSECOND, MILLISECOND
from simkernel.kernel.module.module import LoadedModule
from simkernel.kernel.sched.wait import sleep_on

__all__ = ["fsleep", "msleep", "udelay"]


def msleep(this: LoadedModule, milliseconds: int) -> Awaitable[None]:
    """Sleep; not interrupted by signals."""
    return may_sleep(this, "msleep", _sleep, this, milliseconds * MILLISECOND)


def fsleep(this: LoadedModule, microseconds: int) -> Awaitable[None]:
    """Sleep for a short time; not interrupted by signals."""
    return may_sleep(this, "fsleep", _sleep, this, microseconds * MICROSECOND)


def udelay(this: LoadedModule, microseconds: int) -> None:
    """Keep the CPU busy for that long; what to do in an interrupt, if it must be."""
    this.kernel.engine.charge(microseconds * MICROSECOND)


async def _sleep(this: LoadedModule, ns: int) -> None:
    await sleep_on(interruptible=False, deadline=this.kernel.engine.time() + ns)
