"""include/linux/wait.h: sleeping until a condition holds.

    queue = init_waitqueue_head("frames of camera0")
    await wait_event_interruptible(queue, lambda: bool(frames))    # EINTR if a signal arrives
    wake_up_interruptible(queue)                                   # after the condition became true

A condition is evaluated before sleeping and after each wake-up. An interrupt handler can call the wake-up
functions.
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
    """Return a new wait queue. Its name appears in the list of sleeping tasks."""
    return WaitQueue(name)


@sleeps
async def wait_event(queue: WaitQueue, condition: Condition) -> None:
    """Sleep until `condition()` is true. Signals do not interrupt the sleep."""
    while not _evaluate(condition):
        await sleep_on(queue, interruptible=False)


@sleeps
async def wait_event_interruptible(queue: WaitQueue, condition: Condition) -> None:
    """Sleep until `condition()` is true. Raise InterruptedError (EINTR) if a signal arrives."""
    while not _evaluate(condition):
        await sleep_on(queue)


@sleeps
async def wait_event_timeout(this: ThisModule, queue: WaitQueue, condition: Condition, timeout: int) -> bool:
    """Sleep until `condition()` is true or `timeout` ns have passed. Return whether the condition is true."""
    return await _until(queue, condition, ktime_get(this) + timeout, interruptible=False)


@sleeps
async def wait_event_interruptible_timeout(
    this: ThisModule, queue: WaitQueue, condition: Condition, timeout: int
) -> bool:
    """Sleep like `wait_event_timeout`, but raise InterruptedError (EINTR) if a signal arrives."""
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
    """Return True if the queue has waiters."""
    return bool(queue)


def wake_up(queue: WaitQueue) -> None:
    """Wake all non-exclusive waiters and one exclusive waiter."""
    queue.wake_up()


def wake_up_interruptible(queue: WaitQueue) -> None:
    """Do the same as `wake_up`. Linux skips uninterruptible waiters here. In simkernel, no queue has both
    interruptible and uninterruptible waiters.
    """
    queue.wake_up()


def wake_up_all(queue: WaitQueue) -> None:
    """Wake all waiters."""
    queue.wake_up_all()
