"""Signals of a task: what is pending, what is done about it (signal(7))."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from simkernel.kernel.sched.rlimit import DEFAULTS, Limit
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
Handlers = Mapping[int, Handler]
NO_HANDLERS: Final[Handlers] = MappingProxyType({})


class Signals:
    """Pending signals and dispositions.  A standard signal is pending once, however often sent.

    `exit_status` is the wait status of a process that is ending, with which its other threads end.
    Dispositions and resource limits belong to the process: a thread reads those of its `leader`
    (`struct signal_struct`).
    """

    __slots__ = ("_handlers", "_leader", "_limits", "exit_status", "pending")

    def __init__(
        self,
        handlers: Handlers = NO_HANDLERS,
        leader: Signals | None = None,
        limits: Mapping[int, Limit] = DEFAULTS,
    ) -> None:
        self._handlers = handlers
        self._limits = limits
        self._leader: Signals | None = None if leader is None else leader._leader or leader
        self.pending: tuple[int, ...] = ()
        self.exit_status: int | None = None

    @property
    def handlers(self) -> Handlers:
        """What is done about signals, by number; this mapping does not change, and children share it."""
        return (self._leader or self)._handlers

    @property
    def limits(self) -> Mapping[int, Limit]:
        """The resource limits, by number.  The mapping is immutable, and children share it."""
        return (self._leader or self)._limits

    def set_limit(self, resource: int, limit: Limit) -> None:
        """Set a resource limit.  The caller has checked permission."""
        (self._leader or self)._limits = {**self.limits, resource: limit}

    def set_handler(self, number: int, handler: Handler) -> Handler:
        """Set what `number` does; returns what it did.  EINVAL for what cannot be changed."""
        check(number)
        if number in UNCATCHABLE:
            raise os_error(EINVAL)
        old = self.handlers.get(number, SIG_DFL)
        (self._leader or self)._handlers = {**self.handlers, number: handler}
        return old

    def disposition(self, number: int) -> int | None:
        """SIG_DFL or SIG_IGN; None if a function handles the signal, whose `==` is the program's code."""
        handler = self.handlers.get(number, SIG_DFL)
        return None if callable(handler) else handler

    def set_defaults(self, handlers: Handlers) -> None:
        """Set what these signals do, where nothing has been set."""
        if not handlers.keys() <= self.handlers.keys():
            (self._leader or self)._handlers = {**handlers, **self.handlers} if self.handlers else handlers

    def ignored(self, number: int) -> bool:
        """Whether sending `number` has no effect at all (`sig_ignored()`)."""
        disposition = self.disposition(number)
        return disposition == SIG_IGN or (
            disposition == SIG_DFL and default_disposition(number) is Disposition.IGNORE
        )

    def stops(self, number: int) -> bool:
        """Whether `number` would stop the process, or let it go on."""
        return self.disposition(number) == SIG_DFL and default_disposition(number) in (
            Disposition.STOP,
            Disposition.CONTINUE,
        )

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
