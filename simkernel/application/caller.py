"""The calls of one task: how each is made, and which of them were never awaited.

`Descriptors`, `Paths` and `App` extend `Caller` by the calls that a program sees.  What belongs to a program
(a socket, an epoll object, a mapping) holds the `Caller` that it makes its own calls with.
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
R = TypeVar("R", bound="Request")

MAX_UNAWAITED: Final = 16
"""Calls that were never awaited, and are kept to be reported when the task ends."""

NO_CALL: Final[Call[None]] = Call()
NO_CALL.owner = None
"""The last call of a task that has made none."""


class Request(Protocol):
    """A call, or several under one name, to be awaited once."""

    line: str

    @property
    def name(self) -> str:
        """The call's name."""
        ...

    @property
    def owner(self) -> object:
        """The task that may await it; None once it has been awaited."""
        ...


class ProgramTask(Owner, Protocol):
    """The task that a program's calls belong to."""

    @property
    def track(self) -> str:
        """NAME/PID, the task's name in traces and in its random stream."""
        ...


class System(Protocol):
    """What a machine gives to its programs beside the system calls."""

    debug: bool

    def clock(self) -> int:
        """The machine's clock in ns, read without a system call (vdso(7))."""
        ...

    def random(self, name: str) -> Random:
        """The random stream of that name."""
        ...

    def app(self, owner: Any) -> Caller:
        """The calls of the task `owner`."""
        ...

    def blocking_app(self, app: Any, runner: Any) -> Any:
        """Return the blocking calls of `app` for a plain function; `runner` blocks until a call is done."""
        ...

    def specification(self, family: str) -> Spec:
        """The family's specification, from the module path.  LookupError with the nearest names."""
        ...

    def resolve(self, name: str) -> tuple[str, ...]:
        """depmod's answer: the modules of a name or an alias, dependencies first.  LookupError."""
        ...


class Caller:
    """Makes the calls of the task `owner`."""

    __slots__ = ("_debug", "_last", "_system", "_unawaited", "owner")

    def __init__(self, system: System, owner: ProgramTask) -> None:
        self._system = system
        self._debug = system.debug
        self._last: Request = NO_CALL
        """The call that was made last, and those before it that were not awaited when the next was made."""
        self._unawaited: tuple[Request, ...] = ()
        self.owner = owner

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.owner.track}>"

    @property
    def _app(self) -> Caller:
        return self

    def call(self, name: str, *arguments: object, convert: Callable[[Any], T] | None = None) -> Call[T]:
        """Return the system call `name`, to be awaited.  `convert` converts its raw result.

        TypeError, ValueError or OverflowError for arguments that do not fit the table of system calls.
        """
        return self.request(name, checked(name, arguments), convert)

    def request(
        self, name: str, arguments: tuple[object, ...], convert: Callable[[Any], T] | None = None
    ) -> Call[T]:
        """Like `call`, but do not check `arguments`, a tuple of the right types."""
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
        """Remember that `request` was made, until it is awaited; returns it."""
        last, self._last = self._last, request
        if self._debug or last.owner is not None:
            self._remember(last, request)
        return request

    def _remember(self, last: Request, made: Request) -> None:
        """Record the line of `made`, and keep `last` if it has not been awaited."""
        if self._debug:
            made.line = _line_of_program()
        if last.owner is not None:
            if len(self._unawaited) == MAX_UNAWAITED:
                self._unawaited = tuple(each for each in self._unawaited if each.owner is not None)
            if len(self._unawaited) < MAX_UNAWAITED:
                self._unawaited = (*self._unawaited, last)

    def never_awaited(self) -> list[str]:
        """The names of the calls that were made and never awaited, with their lines if those are known."""
        return [_description(each) for each in (*self._unawaited, self._last) if each.owner is not None]

    def monotonic_ns(self) -> int:
        """The machine's clock in nanoseconds.  No system call, and nothing to await."""
        return self._system.clock()


def _line_of_program() -> str:
    """file:line of the innermost frame outside this package."""
    frame = sys._getframe(3)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith(
        "simkernel.application"
    ):
        frame = frame.f_back
    return f"{frame.f_code.co_filename.rpartition('/')[2]}:{frame.f_lineno}"


def _description(request: Request) -> str:
    line = getattr(request, "line", None)
    return request.name if line is None else f"{request.name} ({line})"
