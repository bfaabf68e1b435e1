"""include/linux/delay.h: sleeping, and waiting without sleeping."""

from __future__ import annotations

from collections.abc import Awaitable

from simkernel.engine import MICROSECOND, MILLISECOND
from simkernel.kernel.locking.preempt import NOTHING
from simkernel.kernel.module.module import LoadedModule
from simkernel.kernel.task.wait import sleep_on

__all__ = ["fsleep", "msleep", "udelay"]


def msleep(this: LoadedModule, milliseconds: int) -> Awaitable[None]:
    """Sleep; not interrupted by signals."""
    return _sleep(this, "msleep", milliseconds * MILLISECOND)


def fsleep(this: LoadedModule, microseconds: int) -> Awaitable[None]:
    """Sleep for a short time; not interrupted by signals."""
    return _sleep(this, "fsleep", microseconds * MICROSECOND)


def udelay(this: LoadedModule, microseconds: int) -> None:
    """Keep the CPU busy for that long; what to do in an interrupt, if it must be."""
    this.kernel.engine.charge(microseconds * MICROSECOND)


def _sleep(this: LoadedModule, function: str, ns: int) -> Awaitable[None]:
    if this.kernel.preempt.might_sleep(function):
        return NOTHING
    return _sleep_until(this.kernel.engine.time() + ns)


async def _sleep_until(deadline: int) -> None:
    await sleep_on(interruptible=False, deadline=deadline)
