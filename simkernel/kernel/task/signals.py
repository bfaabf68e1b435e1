"""Signals of a task: what is pending, what is done about it (signal(7))."""

from __future__ import annotations

from collections.abc import Callable

from simkernel.uapi.errno import EINVAL, os_error
from simkernel.uapi.signal import (
    SIG_DFL,
    SIG_IGN,
    UNCATCHABLE,
    Disposition,
    default_disposition,
    valid_signal,
)

Handler = int | Callable[[int], None]
"""SIG_DFL, SIG_IGN or a function that takes the signal's number."""


class Signals:
    """Pending signals and dispositions.  A standard signal is pending once, however often sent.

    `exit_status` is that of a process which is ending: its threads end with it, one after the other.
    """

    __slots__ = ("exit_status", "handlers", "pending")

    def __init__(self, handlers: dict[int, Handler] | None = None) -> None:
        self.handlers: dict[int, Handler] = {} if handlers is None else handlers
        self.pending: tuple[int, ...] = ()
        self.exit_status: int | None = None

    def set_handler(self, number: int, handler: Handler) -> Handler:
        """Set what `number` does; returns what it did.  EINVAL for what cannot be changed."""
        check(number)
        if number in UNCATCHABLE:
            raise os_error(EINVAL)
        old = self.handlers.get(number, SIG_DFL)
        self.handlers[number] = handler
        return old

    def ignored(self, number: int) -> bool:
        """Whether sending `number` has no effect at all (`sig_ignored()`)."""
        handler = self.handlers.get(number, SIG_DFL)
        return handler == SIG_IGN or (
            handler == SIG_DFL and default_disposition(number) is Disposition.IGNORE
        )

    def stops(self, number: int) -> bool:
        """Whether `number` would stop the process, or let it go on."""
        handler = self.handlers.get(number, SIG_DFL)
        return handler == SIG_DFL and default_disposition(number) in (Disposition.STOP, Disposition.CONTINUE)

    def send(self, number: int) -> bool:
        """Make `number` pending; False if it is ignored."""
        if self.ignored(number):
            return False
        if number not in self.pending:
            self.pending = (*self.pending, number)
        return True

    def take(self) -> int | None:
        """The pending signal that is delivered next, the lowest number first (`next_signal()`)."""
        if not self.pending:
            return None
        number = min(self.pending)
        self.pending = tuple(each for each in self.pending if each != number)
        return number


def check(number: int) -> None:
    """EINVAL if there is no such signal."""
    if not valid_signal(number):
        raise os_error(EINVAL)
