"""A timer, which calls a function at an instant.

It is cheaper than an event of simpy, because it has no waiters and no failure.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol


class CountsCancelled(Protocol):
    """The interface of an event queue that counts its cancelled timers."""

    def count_cancelled(self) -> None: ...


class Timer:
    """A timer.  It calls a function once, at an instant, unless it is cancelled earlier.

    `queue` is the queue that holds the timer's entry, or None.  The function of a cancelled timer is None.
    """

    __slots__ = ("arguments", "function", "queue")

    def __init__(
        self, function: Callable[..., object], arguments: tuple[Any, ...], queue: CountsCancelled | None
    ) -> None:
        self.function: Callable[..., object] | None = function
        self.arguments = arguments
        self.queue = queue

    def __repr__(self) -> str:
        return f"<Timer, {'pending' if self.pending else 'done'}>"

    @property
    def pending(self) -> bool:
        """True if the function has not been called and the timer is not cancelled."""
        return self.function is not None

    def cancel(self) -> None:
        """Cancel the timer.  No effect if it has expired or is cancelled."""
        if self.function is not None:
            self.function = None
            self.arguments = ()
            if self.queue is not None:
                self.queue.count_cancelled()
