"""include/linux/delay.h: sleeping, and waiting without sleeping."""

from __future__ import annotations

from collections.abc import Awaitable

from simkernel.driverapi.context import kernel_of, may_sleep
from simkernel.engine import MICROSECOND, MILLISECOND
from simkernel.kernel.module.awaiting import sleeps
from simkernel.kernel.module.module import ThisModule
from simkernel.kernel.sched.wait import sleep_on


@sleeps
def msleep(this: ThisModule, milliseconds: int) -> Awaitable[None]:
    """Sleep; not interrupted by signals."""
    return may_sleep(this, "msleep", _sleep, this, milliseconds * MILLISECOND)


@sleeps
def fsleep(this: ThisModule, microseconds: int) -> Awaitable[None]:
    """Sleep for a short time; not interrupted by signals."""
    return may_sleep(this, "fsleep", _sleep, this, microseconds * MICROSECOND)


def udelay(this: ThisModule, microseconds: int) -> None:
    """Keep the CPU busy for that long; what to do in an interrupt, if it must be."""
    kernel_of(this).engine.spend(microseconds * MICROSECOND)


async def _sleep(this: ThisModule, ns: int) -> None:
    await sleep_on(interruptible=False, deadline=kernel_of(this).engine.time() + ns)
