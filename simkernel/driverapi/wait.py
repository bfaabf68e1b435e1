"""include/linux/wait.h: sleeping until a condition holds.

queue = init_waitqueue_head("frames of camera0")
await wait_event_interruptible(queue, lambda: bool(frames))    # EINTR if a signal comes
wake_up_interruptible(queue)                                   # whoever made the condition true

A condition is looked at before sleeping and after each waking.  Waking may be done in an interrupt
handler.
"""

from __future__ import annotations

from collections.abc import Callable

from simkernel.driverapi.ktime import ktime_get
from simkernel.kernel.module.awaiting import sleeps
from simkernel.kernel.module.module import ThisModule
from simkernel.kernel.sched.preempt import Preempt
from simkernel.kernel.sched.wait import WaitQueue as WaitQueue
from simkernel.kernel.sched.wait import sleep_on

Condition = Callable[[], object]


def init_waitqueue_head(name: str) -> WaitQueue:
    """A queue; its name tells in a list of sleepers what is waited for."""
    return WaitQueue(name)


@sleeps
async def wait_event(queue: WaitQueue, condition: Condition) -> None:
    """Sleep until `condition()`, whatever signals come."""
    while not _evaluate(condition):
        await sleep_on(queue, interruptible=False)


@sleeps
async def wait_event_interruptible(queue: WaitQueue, condition: Condition) -> None:
    """Sleep until `condition()`.  InterruptedError (EINTR) if a signal comes."""
    while not _evaluate(condition):
        await sleep_on(queue)


@sleeps
async def wait_event_timeout(this: ThisModule, queue: WaitQueue, condition: Condition, timeout: int) -> bool:
    """Sleep until `condition()` (True) or `timeout` ns have passed (whether it holds then)."""
    return await _until(queue, condition, ktime_get(this) + timeout, interruptible=False)


@sleeps
async def wait_event_interruptible_timeout(
    this: ThisModule, queue: WaitQueue, condition: Condition, timeout: int
) -> bool:
    """The same; InterruptedError (EINTR) if a signal comes."""
    return await _until(queue, condition, ktime_get(this) + timeout, interruptible=True)


async def _until(queue: WaitQueue, condition: Condition, deadline: int, *, interruptible: bool) -> bool:
    while not _evaluate(condition):
        if not await sleep_on(queue, interruptible=interruptible, deadline=deadline):
            return bool(_evaluate(condition))
    return True


def _evaluate(condition: Condition) -> object:
    Preempt.evaluating += 1
    try:
        return condition()
    finally:
        Preempt.evaluating -= 1


def waitqueue_active(queue: WaitQueue) -> bool:
    """Whether anybody waits."""
    return bool(queue)


def wake_up(queue: WaitQueue) -> None:
    """Wake everyone who waits, but of those who wait exclusively only one."""
    queue.wake_up()


def wake_up_interruptible(queue: WaitQueue) -> None:
    """The same: here no sleeper of either kind waits on a queue of the other."""
    queue.wake_up()


def wake_up_all(queue: WaitQueue) -> None:
    """Wake everyone who waits."""
    queue.wake_up_all()
