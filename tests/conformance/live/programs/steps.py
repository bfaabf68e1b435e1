"""Random programs as data: calls of several processes, one after the other."""

from __future__ import annotations

import re
from typing import Any, Final

import attrs

from simkernel.uapi.errno import error_name

NO_PROCESS: Final = 4_000_000
START: Final = "start"
ABSTRACT: Final = re.compile(rb"\0[0-9a-f]{5}")
"""A name that a kernel chooses for a socket."""


@attrs.frozen
class Who:
    """The number of a process, by the place of its program."""

    place: int


@attrs.frozen
class Step:
    """A call of a program.  `start` is no call: it makes a program of a user."""

    program: int
    call: str
    arguments: tuple[Any, ...] = ()


Steps = tuple[Step, ...]
Outcome = tuple[str, Any]
"""("ok", result), (errno, None), ("sleeps", None), ("unmodelled", text), ("gone", None) or ("busy", None)."""
SLEEPS: Final[Outcome] = ("sleeps", None)
GONE: Final[Outcome] = ("gone", None)
BUSY: Final[Outcome] = ("busy", None)


@attrs.define
class Seen:
    """The result of a step: its outcome, and its effects on other programs.

    `ended` are calls that slept before: (place, outcome).  `dead` are the programs that are gone since.
    """

    outcome: Outcome
    ended: list[tuple[int, Outcome]] = attrs.field(factory=list)
    dead: list[int] = attrs.field(factory=list)


def ok(value: Any) -> Outcome:
    """Return the outcome of a call that has a result."""
    return "ok", plain(value)


def failed(error: OSError) -> Outcome:
    """Return the outcome of a call that has failed."""
    return error_name(error.errno or 0), None


def plain(value: Any) -> Any:
    """Return a result without what a kernel chooses freely."""
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, bytes | bytearray) and ABSTRACT.fullmatch(value):
        return "<a name>"
    return int(value) if isinstance(value, int) and not isinstance(value, bool) else value


def resolved(value: Any, pids: list[int]) -> Any:
    """Return an argument with the numbers of processes in place of programs."""
    if isinstance(value, Who):
        return pids[value.place] if value.place < len(pids) else NO_PROCESS
    return value
