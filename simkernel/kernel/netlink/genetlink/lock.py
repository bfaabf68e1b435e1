"""One request at a time: genl_mutex, for families that do not take care of themselves."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from simkernel.kernel.sched.locking import LockEvents
from simkernel.kernel.sched.wait import LockQueue, sleep_on

T = TypeVar("T")


class OperationLock:
    """Held while an operation sleeps.  One that does not sleep needs it only where a plan can pause it."""

    __slots__ = ("_events", "_waiting", "held")

    def __init__(self, events: LockEvents | None = None) -> None:
        self.held = False
        self._events = events
        self._waiting = LockQueue("genl_mutex", self)

    def take(self) -> None:
        """Take the lock, which is free."""
        self.held = True
        if self._events is not None:
            self._events.acquired(self)

    def give(self) -> None:
        """Give the lock back and wake the first waiter."""
        self.held = False
        if self._events is not None:
            self._events.released(self)
        self._waiting.wake_up()

    async def wait(self, operation: Callable[[T], object], request: T) -> object:
        """Run it when its turn comes."""
        while self.held:
            await sleep_on(self._waiting, interruptible=False, exclusive=True)
        self.take()
        try:
            result = operation(request)
            return await result if isinstance(result, Awaitable) else result
        finally:
            self.give()

    def hold(self, pending: Awaitable[object]) -> Awaitable[object]:
        """The operation that has begun sleeps: nobody else may come in before it has ended."""
        self.take()
        return self._finish(pending)

    async def _finish(self, pending: Awaitable[object]) -> object:
        try:
            return await pending
        finally:
            self.give()

    async def without(self, pending: Awaitable[Any]) -> None:
        """Await something with the lock given back meanwhile; called by who has it."""
        held = self.held
        if held:
            self.give()
        await pending
        while held and self.held:
            await sleep_on(self._waiting, interruptible=False, exclusive=True)
        if held:
            self.take()
