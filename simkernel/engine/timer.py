"""A callback on the event queue: what an event costs when nobody waits for it and it cannot fail."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Timer:
    """Something that happens once, at its instant, unless it is cancelled before."""

    __slots__ = ("arguments", "function")

    def __init__(self, function: Callable[..., object], arguments: tuple[Any, ...]) -> None:
        self.function: Callable[..., object] | None = function
        self.arguments = arguments

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
        self.function = None
        self.arguments = ()
