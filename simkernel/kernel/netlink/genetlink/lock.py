"""genl_mutex, which serializes the requests to families without `parallel_ops`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from simkernel.kernel.sched.locking import LockEvents
from simkernel.kernel.sched.wait import LockQueue, sleep_on

T = TypeVar("T")


class OperationLock:
    """The lock genl_mutex, which an operation holds while it sleeps.

    An operation that does not sleep is atomic. It needs the lock only if a plan can pause it.
    """

    __slots__ = ("_events", "_waiting", "held")

    def __init__(self, events: LockEvents | None = None) -> None:
        self.held = False
        self._events = events
        self._waiting = LockQueue("genl_mutex", self)

    def acquire(self) -> None:
        """Acquire the lock. The caller has checked that it is not held."""
        self.held = True
        if self._events is not None:
            self._events.acquired(self)

    def release(self) -> None:
        """Release the lock and wake the first waiter."""
        self.held = False
        if self._events is not None:
            self._events.released(self)
        self._waiting.wake_up()

    async def run_locked(self, operation: Callable[[T], object], request: T) -> object:
        """Wait for the lock, then run the operation with the lock held."""
        while self.held:
            await sleep_on(self._waiting, interruptible=False, exclusive=True)
        self.acquire()
        try:
            result = operation(request)
            return await result if isinstance(result, Awaitable) else result
        finally:
            self.release()

    def finish_locked(self, pending: Awaitable[object]) -> Awaitable[object]:
        """Acquire the lock for an operation that has begun and now sleeps. The lock is released when the
        operation ends.
        """
        self.acquire()
        return self._finish(pending)

    async def _finish(self, pending: Awaitable[object]) -> object:
        try:
            return await pending
        finally:
            self.release()

    async def released_during(self, pending: Awaitable[Any]) -> None:
        """Release the lock, await `pending`, then acquire the lock again. Only the task that holds the lock
        calls this function.
        """
        held = self.held
        if held:
            self.release()
        await pending
        while held and self.held:
            await sleep_on(self._waiting, interruptible=False, exclusive=True)
        if held:
            self.acquire()
