"""A callback on the event queue: what an event costs when nobody waits for it and it cannot fail."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Timer:
    """Something that happens once, at its instant, unless it is cancelled before.

    `on_cancel` is called if it is: its entry is in the queue still.
    """

    __slots__ = ("arguments", "function", "on_cancel")

    def __init__(
        self, function: Callable[..., object], arguments: tuple[Any, ...], on_cancel: Callable[[], None]
    ) -> None:
        self.function: Callable[..., object] | None = function
        self.arguments = arguments
        self.on_cancel = on_cancel

    def __repr__(self) -> str:
        return f"<Timer, {'pending' if self.pending else 'done'}>"

    @property
    def pending(self) -> bool:
        """Whether it is still going to happen."""
        return self.function is not None

    def happen(self) -> None:
        """Call the function, unless it was cancelled."""
        function, self.function = self.function, None
        if function is not None:
            function(*self.arguments)

    def cancel(self) -> None:
        """Make it not happen.  Harmless when it has happened."""
        if self.function is not None:
            self.function = None
            self.arguments = ()
            self.on_cancel()
