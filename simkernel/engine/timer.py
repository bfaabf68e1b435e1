"""A callback on the event queue: what an event costs when nobody waits for it and it cannot fail."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol


class CountsCancelled(Protocol):
    """The queue of a timer, which counts its cancelled entries."""

    def count_cancelled(self) -> None: ...


class Timer:
    """A function that is called once, at an instant, unless the timer is cancelled before.

    `queue` is the queue that holds the timer's entry, or None.  A cancelled timer's function is None.
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
        """Whether it is still going to happen."""
        return self.function is not None

    def cancel(self) -> None:
        """Make it not happen.  Harmless when it has happened."""
        if self.function is not None:
            self.function = None
            self.arguments = ()
            if self.queue is not None:
                self.queue.count_cancelled()
