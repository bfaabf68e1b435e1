"""The mutex that an ioctl holds. The ioctl releases the mutex while it waits (`wait_prepare`,
`wait_finish`).
"""

from __future__ import annotations

from simkernel.driverapi.mutex import Mutex, mutex_lock, mutex_lock_interruptible, mutex_unlock
from simkernel.driverapi.wait import Condition, WaitQueue, wait_event_interruptible


class HeldMutex:
    """A context manager that holds a mutex during its block. Raise EINTR if a signal arrives before the mutex
    is locked.

    A task that is killed during `wait` does not hold the mutex, so the end of the block must not unlock
    it.
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
        """Release the mutex, sleep until `condition()` is true, and lock the mutex again.

        Raise EINTR if a signal arrives.
        """
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
