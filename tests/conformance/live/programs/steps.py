"""Random programs as data: a sequence of calls of several processes."""

from __future__ import annotations

import re
from typing import Any, Final

import attrs

from simkernel.uapi.errno import error_name

NO_PROCESS: Final = 4_000_000
START: Final = "start"
ABSTRACT: Final = re.compile(rb"\0[0-9a-f]{5}")
"""Matches an abstract socket name that a kernel has chosen."""


@attrs.frozen
class ProgramPid:
    """The process id of a program, given by the program's index."""

    place: int


@attrs.frozen
class Step:
    """A call of a program. The call `start` creates a program with the user, groups and root directory in
    `arguments`.
    """

    program: int
    call: str
    arguments: tuple[Any, ...] = ()


Steps = tuple[Step, ...]
Outcome = tuple[str, Any]
"""Outcome of a call, as (kind, value):

* ("ok", result), or (name of the errno, None) if the call fails
* ("sleeps", None) if the call blocks, ("busy", None) if an earlier call of the program still blocks
* ("gone", None) if the program has ended
* ("later", None) if the call has ended on the host, but its outcome has not arrived, because a later call of
  the same message blocks
* ("unmodelled", text) if simkernel does not model the call
"""
SLEEPS: Final[Outcome] = ("sleeps", None)
GONE: Final[Outcome] = ("gone", None)
BUSY: Final[Outcome] = ("busy", None)


@attrs.define
class Seen:
    """Result of a step: the outcome of its call, and the effects on other programs.

    `ended` are earlier blocked calls that ended: (program index, outcome). `dead` are the programs that
    ended.
    """

    outcome: Outcome
    ended: list[tuple[int, Outcome]] = attrs.field(factory=list)
    dead: list[int] = attrs.field(factory=list)


def ok(value: Any) -> Outcome:
    """Return the outcome of a successful call."""
    return "ok", plain(value)


def failed(error: OSError) -> Outcome:
    """Return the outcome of a failed call."""
    return error_name(error.errno or 0), None


def plain(value: Any) -> Any:
    """Return a result without the values that a kernel chooses freely."""
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, bytes | bytearray) and ABSTRACT.fullmatch(value):
        return "<a name>"
    return int(value) if isinstance(value, int) and not isinstance(value, bool) else value


def resolved(value: Any, pids: list[int]) -> Any:
    """Replace a program's index in an argument with the process id of this program."""
    if isinstance(value, ProgramPid):
        return pids[value.place] if value.place < len(pids) else NO_PROCESS
    return value
