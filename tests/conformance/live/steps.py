"""A random program as plain data, for simkernel and the host's kernel. It is a list of steps, and each step
is one call on one socket.

Numbers that a kernel chooses are symbolic: `Port(3)` is the port id of socket 3 at this step, `PID` is the
process id. A step on a socket that does not exist does nothing, so any part of a program is a valid
program.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import attrs


@attrs.frozen
class Port:
    """Placeholder for the port id of a socket. The two kernels can have different port ids."""

    slot: int


@attrs.frozen
class Pid:
    """Placeholder for the process id, which differs between the two kernels."""


PID: Final = Pid()


@attrs.frozen
class Step:
    """One call. `slot` is the number of the socket that it uses or creates."""

    call: str
    slot: int
    arguments: tuple[Any, ...] = ()


Program = tuple[Step, ...]


def roles(value: Any) -> Iterator[Port | Pid]:
    """Yield the placeholders (Port and Pid) within an argument."""
    if isinstance(value, Port | Pid):
        yield value
    elif isinstance(value, tuple):
        for part in value:
            yield from roles(part)
