"""One request at a time: genl_mutex, for families that do not take care of themselves."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from simkernel.kernel.task.wait import WaitQueue, sleep_on

T = TypeVar("T")


class OperationLock:
    """Held while an operation sleeps.  One that does not sleep is over before anybody could notice."""

    __slots__ = ("_held", "_waiting")

    def __init__(self) -> None:
        self._held = False
        self._waiting = WaitQueue("genl_mutex")

    def run(self, operation: Callable[[T], object], request: T) -> object:
        """Run it under the lock; the result is awaitable if it, or the wait for its turn, sleeps."""
        if self._held:
            return self._wait_and_run(operation, request)
        result = operation(request)
        if result is not None and isinstance(result, Awaitable):
            self._held = True
            return self._hold(result)
        return result

    async def _wait_and_run(self, operation: Callable[[T], object], request: T) -> object:
        while self._held:
            await sleep_on(self._waiting, interruptible=False, exclusive=True)
        result = self.run(operation, request)
        return await result if isinstance(result, Awaitable) else result

    async def _hold(self, pending: Awaitable[object]) -> object:
        try:
            return await pending
        finally:
            self.release()

    def release(self) -> None:
        """Let the next one in."""
        self._held = False
        self._waiting.wake_up()

    async def without(self, pending: Awaitable[Any]) -> None:
        """Await something with the lock given back meanwhile; called by who has it."""
        held, self._held = self._held, False
        if held:
            self._waiting.wake_up()
        await pending
        while held and self._held:
            await sleep_on(self._waiting, interruptible=False, exclusive=True)
        self._held = held
