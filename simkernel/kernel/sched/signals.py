"""The pending signals of a task, and the dispositions of signals (signal(7))."""

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
    """Pending signals and dispositions.  A standard signal is pending only once, even if it is sent again.

    `exit_status` is the wait status of a process that is ending; the other threads end with it too.
    Dispositions and resource limits belong to the process: a thread reads those of its `leader` (`struct
    signal_struct`).
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
        """The dispositions that have been set, by signal number. The mapping is immutable, so child processes
        can share it.
        """
        return (self._leader or self)._handlers

    @property
    def limits(self) -> Mapping[int, Limit]:
        """The limits of the process, by resource number. The mapping is immutable, so child processes can
        share it.
        """
        return (self._leader or self)._limits

    def set_limit(self, resource: int, limit: Limit) -> None:
        """Set a resource limit.  The caller has checked permission."""
        (self._leader or self)._limits = {**self.limits, resource: limit}

    def set_handler(self, number: int, handler: Handler) -> Handler:
        """Set the disposition of a signal and return the old one.  Raise EINVAL for SIGKILL and SIGSTOP."""
        check(number)
        if number in UNCATCHABLE:
            raise os_error(EINVAL)
        old = self.handlers.get(number, SIG_DFL)
        (self._leader or self)._handlers = {**self.handlers, number: handler}
        return old

    def disposition(self, number: int) -> int | None:
        """Return the disposition of a signal: SIG_DFL, SIG_IGN, or None if it is a handler function.

        A handler is not returned, because comparing it with `==` could run code of the program.
        """
        handler = self.handlers.get(number, SIG_DFL)
        return None if callable(handler) else handler

    def set_defaults(self, handlers: Handlers) -> None:
        """Set dispositions, but only of signals whose disposition has not been set before."""
        if not handlers.keys() <= self.handlers.keys():
            (self._leader or self)._handlers = {**handlers, **self.handlers} if self.handlers else handlers

    def ignored(self, number: int) -> bool:
        """Return True if sending the signal has no effect (`sig_ignored()`)."""
        disposition = self.disposition(number)
        return disposition == SIG_IGN or (
            disposition == SIG_DFL and default_disposition(number) is Disposition.IGNORE
        )

    def stops(self, number: int) -> bool:
        """Return True if the signal would stop or continue the process."""
        return self.disposition(number) == SIG_DFL and default_disposition(number) in (
            Disposition.STOP,
            Disposition.CONTINUE,
        )

    def send(self, number: int) -> bool:
        """Make a signal pending.  Return False if it is ignored."""
        if self.ignored(number):
            return False
        if number not in self.pending:
            self.pending = (*self.pending, number)
        return True

    def take(self) -> int | None:
        """Remove and return the pending signal with the lowest number, or None (`next_signal()`)."""
        if not self.pending:
            return None
        number = min(self.pending)
        self.pending = tuple(each for each in self.pending if each != number)
        return number


def check(number: int) -> None:
    """Raise EINVAL if `number` is not a signal's number."""
    if not valid_signal(number):
        raise os_error(EINVAL)
