"""The lock that a request holds, and lets go while it waits for something (`wait_prepare`, `wait_finish`)."""

from __future__ import annotations

from simkernel.driverapi.mutex import Mutex, mutex_lock, mutex_lock_interruptible, mutex_unlock
from simkernel.driverapi.wait import Condition, WaitQueue, wait_event_interruptible


class HeldMutex:
    """A mutex, held for a block: `async with HeldMutex(lock) as held`.  EINTR if a signal comes before.

    What is killed while it waits in the block does not take the lock again, and so must not unlock it.
    """

    def __init__(self, lock: Mutex) -> None:
        self._lock = lock
        self._held = False

    async def __aenter__(self) -> HeldMutex:
        await mutex_lock_interruptible(self._lock)
        self._held = True
        return self

    async def __aexit__(self, *exception: object) -> None:
        if self._held:
            self._held = False
            mutex_unlock(self._lock)

    async def wait(self, queue: WaitQueue, condition: Condition) -> None:
        """Sleep until `condition()`, while others have the lock.  EINTR."""
        self._held = False
        mutex_unlock(self._lock)
        try:
            await wait_event_interruptible(queue, condition)
        except OSError:
            await self._take()
            raise
        await self._take()

    async def _take(self) -> None:
        await mutex_lock(self._lock)
        self._held = True
