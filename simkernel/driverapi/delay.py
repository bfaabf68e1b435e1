"""include/linux/delay.h: sleeping and busy-waiting."""

from __future__ import annotations

from collections.abc import Awaitable

from simkernel.driverapi.context import kernel_of, may_sleep
from simkernel.engine import MICROSECOND, MILLISECOND
from simkernel.kernel.module.awaiting import sleeps
from simkernel.kernel.module.module import ThisModule
from simkernel.kernel.sched.wait import sleep_on


@sleeps
def msleep(this: ThisModule, milliseconds: int) -> Awaitable[None]:
    """Sleep for a number of milliseconds. Signals do not interrupt the sleep."""
    return may_sleep(this, "msleep", _sleep, this, milliseconds * MILLISECOND)


@sleeps
def fsleep(this: ThisModule, microseconds: int) -> Awaitable[None]:
    """Sleep for a number of microseconds. Signals do not interrupt the sleep."""
    return may_sleep(this, "fsleep", _sleep, this, microseconds * MICROSECOND)


def udelay(this: ThisModule, microseconds: int) -> None:
    """Busy-wait for a number of microseconds. It is the only delay that is allowed in an interrupt
    handler.
    """
    kernel_of(this).engine.spend(microseconds * MICROSECOND)


async def _sleep(this: ThisModule, ns: int) -> None:
    await sleep_on(interruptible=False, deadline=kernel_of(this).engine.time() + ns)
