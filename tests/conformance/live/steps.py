"""A program for both kernels: a list of steps, each one call on one socket, as plain data.

What only a kernel knows stands for itself: `Port(3)` is whatever port id socket 3 has when the step is
done, `PID` the number of the process.  A step on a socket that does not exist does nothing, so that any
part of a program is a program.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import attrs


@attrs.frozen
class Port:
    """The port id of a socket."""

    slot: int


@attrs.frozen
class Pid:
    """The number of the process."""


PID: Final = Pid()


@attrs.frozen
class Step:
    """One call.  `slot` numbers the socket it is made on, or that it makes."""

    call: str
    slot: int
    arguments: tuple[Any, ...] = ()


Program = tuple[Step, ...]


def roles(value: Any) -> Iterator[Port | Pid]:
    """The stand-ins within an argument."""
    if isinstance(value, Port | Pid):
        yield value
    elif isinstance(value, tuple):
        for part in value:
            yield from roles(part)
