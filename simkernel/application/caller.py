"""The object that makes a task's system calls and records which of them were never awaited.

`Descriptors`, `Paths` and `App` extend `Caller` with the calls that a program sees.  Objects of a program,
such as sockets, epoll objects and mappings, keep a reference to the `Caller` that makes their calls.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from random import Random
from typing import Any, Final, Protocol, TypeVar

from simkernel.application.checked import checked
from simkernel.engine import Call, Owner
from simkernel.ynl import Spec

T = TypeVar("T")
R = TypeVar("R", bound="PendingCall")

MAX_UNAWAITED: Final = 16
"""Maximum number of calls that a `Caller` remembers because the program did not await them. The machine
reports them when the task ends.
"""

NO_CALL: Final[Call[None]] = Call()
NO_CALL.owner = None
"""Value of `Caller._last` before the task makes its first call."""


class PendingCall(Protocol):
    """An awaitable for one system call, or for a method that makes several system calls.  It can be awaited
    once.
    """

    line: str

    @property
    def name(self) -> str:
        """Name of the system call or of the method that makes several calls."""
        ...

    @property
    def owner(self) -> object:
        """The task that may await the call, or None after it was awaited."""
        ...


class ProgramTask(Owner, Protocol):
    """The task that runs a program and makes the program's system calls."""

    @property
    def track(self) -> str:
        """The task's name in the form NAME/PID.  Traces use this name, and so does the task's random
        stream.
        """
        ...


class System(Protocol):
    """Services that a machine provides to its programs besides system calls."""

    debug: bool

    def clock(self) -> int:
        """Return the machine's clock in ns.  Reading the clock makes no system call, as with vdso(7)."""
        ...

    def random(self, name: str) -> Random:
        """Return the machine's random stream called `name`, an object of random.Random."""
        ...

    def app(self, owner: Any) -> Caller:
        """Return the `app`, the object that makes the system calls of the task `owner`."""
        ...

    def blocking_app(self, app: Any, runner: Any) -> Any:
        """Wrap `app` for a program without `await`: each call blocks and returns its result.  `runner` runs
        the call.
        """
        ...

    def specification(self, family: str) -> Spec:
        """Find the specification of a netlink family in the directories of the module path, and return it.

        Raise LookupError, which suggests similar names.
        """
        ...

    def resolve(self, name: str) -> tuple[str, ...]:
        """Return the modules to load for a module name or an alias.  Each module comes after the modules that
        it needs.

        Raise LookupError.
        """
        ...


class Caller:
    """Makes the system calls of one task, the `owner`."""

    __slots__ = ("_debug", "_last", "_system", "_unawaited", "owner")

    def __init__(self, system: System, owner: ProgramTask) -> None:
        self._system = system
        self._debug = system.debug
        self._last: PendingCall = NO_CALL
        """The most recent call.

        If it is not awaited before the next call is made, it moves to `_unawaited`.
        """
        self._unawaited: tuple[PendingCall, ...] = ()
        self.owner = owner

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.owner.track}>"

    @property
    def _app(self) -> Caller:
        return self

    def call(self, name: str, *arguments: object, convert: Callable[[Any], T] | None = None) -> Call[T]:
        """Return an awaitable for the system call `name`.  `convert` converts its raw result.

        Raise TypeError, ValueError or OverflowError if an argument is missing, has a wrong type or is out of
        range.
        """
        return self.request(name, checked(name, arguments), convert)

    def request(
        self, name: str, arguments: tuple[object, ...], convert: Callable[[Any], T] | None = None
    ) -> Call[T]:
        """Return an awaitable for the system call `name`.  Unlike `call`, do not check `arguments`: they must
        have the right types.
        """
        call: Call[T] = Call()
        call.owner = self.owner
        call.name = name
        call.arguments = arguments
        call.convert = convert
        last, self._last = self._last, call
        if self._debug or last.owner is not None:
            self._remember(last, call)
        return call

    def made(self, request: R) -> R:
        """Record the new call `request` as not yet awaited. Return `request`."""
        last, self._last = self._last, request
        if self._debug or last.owner is not None:
            self._remember(last, request)
        return request

    def _remember(self, last: PendingCall, made: PendingCall) -> None:
        """In debug mode, store the program's source line in the new call (`made`). If the previous call
        (`last`) was not awaited, append it to `_unawaited`.
        """
        if self._debug:
            made.line = _line_of_program()
        if last.owner is not None:
            if len(self._unawaited) == MAX_UNAWAITED:
                self._unawaited = tuple(each for each in self._unawaited if each.owner is not None)
            if len(self._unawaited) < MAX_UNAWAITED:
                self._unawaited = (*self._unawaited, last)

    def never_awaited(self) -> list[str]:
        """Return the names of the calls that were never awaited, with their source lines in debug mode."""
        return [_description(each) for each in (*self._unawaited, self._last) if each.owner is not None]

    def monotonic_ns(self) -> int:
        """Return the machine's clock in nanoseconds.

        It is not a system call, so the result is not awaitable.
        """
        return self._system.clock()


def _line_of_program() -> str:
    """Return FILE:LINE of the innermost frame outside simkernel.application."""
    frame = sys._getframe(3)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith(
        "simkernel.application"
    ):
        frame = frame.f_back
    return f"{frame.f_code.co_filename.rpartition('/')[2]}:{frame.f_lineno}"


def _description(request: PendingCall) -> str:
    line = getattr(request, "line", None)
    return request.name if line is None else f"{request.name} ({line})"
