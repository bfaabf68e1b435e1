"""Mutexes: one task holds the lock, the others sleep until it is free (kernel/locking/mutex.c)."""

from __future__ import annotations

from collections.abc import Awaitable

from simkernel.kernel.sched.preempt import COMPLETED, Preempt
from simkernel.kernel.sched.wait import LockQueue, sleep_on


class Mutex:
    """A lock on which tasks sleep. `unlock` wakes the task that has waited longest.

    Used as an asynchronous context manager, a mutex is held inside the block.
    """

    def __init__(self, preempt: Preempt, name: str) -> None:
        self._preempt = preempt
        self._queue = LockQueue(f"mutex {name}", self)
        self.name = name
        self.locked = False

    def lock(self, *, interruptible: bool = False) -> Awaitable[None]:
        """Take the mutex; sleep while another task holds it.  If `interruptible`, a signal raises EINTR."""
        if self._preempt.might_sleep("mutex_lock"):
            return COMPLETED
        return self._lock(interruptible)

    async def _lock(self, interruptible: bool) -> None:
        try:
            while self.locked:
                await sleep_on(self._queue, interruptible=interruptible, exclusive=True)
        except BaseException:
            # unlock() woke this task, but its wait ended with an exception: wake the next waiter instead
            if not self.locked:
                self._queue.wake_up()
            raise
        self.locked = True

    def try_lock(self) -> bool:
        """Take the mutex if it is free.  Return True if it was taken."""
        if self.locked:
            return False
        self.locked = True
        return True

    def unlock(self) -> None:
        """Release the mutex and wake its first waiter.  Raise RuntimeError if it is not locked."""
        if not self.locked:
            raise RuntimeError(f"mutex {self.name} is not locked")
        self.locked = False
        self._queue.wake_up()

    async def __aenter__(self) -> None:
        await self.lock()

    async def __aexit__(self, *exception: object) -> None:
        self.unlock()
