"""Mutexes: one task at a time, the others sleep (kernel/locking/mutex.c)."""

from __future__ import annotations

from collections.abc import Awaitable

from simkernel.kernel.sched.preempt import NOTHING, Preempt
from simkernel.kernel.sched.wait import LockQueue, sleep_on


class Mutex:
    """A lock whose waiters sleep, in the order in which they came.

    As an asynchronous context manager it is held for the block.
    """

    def __init__(self, preempt: Preempt, name: str) -> None:
        self._preempt = preempt
        self._queue = LockQueue(f"mutex {name}", self)
        self.name = name
        self.locked = False

    def lock(self, *, interruptible: bool = False) -> Awaitable[None]:
        """Take it, sleeping while another has it.  EINTR if a signal comes and it is `interruptible`."""
        if self._preempt.might_sleep("mutex_lock"):
            return NOTHING
        return self._lock(interruptible)

    async def _lock(self, interruptible: bool) -> None:
        try:
            while self.locked:
                await sleep_on(self._queue, interruptible=interruptible, exclusive=True)
        except BaseException:
            if not self.locked:  # woken to take it, and killed before it could
                self._queue.wake_up()
            raise
        self.locked = True

    def try_lock(self) -> bool:
        """Take it if nobody has it; whether that succeeded."""
        if self.locked:
            return False
        self.locked = True
        return True

    def unlock(self) -> None:
        """Give it back and wake the first who waits.  RuntimeError if it is not taken."""
        if not self.locked:
            raise RuntimeError(f"mutex {self.name} is not locked")
        self.locked = False
        self._queue.wake_up()

    async def __aenter__(self) -> None:
        await self.lock()

    async def __aexit__(self, *exception: object) -> None:
        self.unlock()
