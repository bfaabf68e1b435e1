"""How a system call is printed: what each says of its arguments and its result."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import attrs

from simkernel.trace.strace.quoting import c_string, hexadecimal_string

Texts = list[str]


class View(Protocol):
    """What a datagram is known to be, from the descriptor it goes through."""

    def datagram(self, fd: int, data: bytes, *, received: bool = False) -> str:
        """The datagram, decoded."""
        ...


@attrs.frozen
class Form:
    """How a call is printed: arguments when it enters, those it fills when it leaves, and its result.

    `leave` is given the result (None where the call failed) and the arguments.
    """

    enter: Callable[..., Texts]
    leave: Callable[..., Texts] | None = None
    result: Callable[..., str] | None = None
    name: str = ""


def text(value: object) -> str:
    """An argument of which nothing is known."""
    if value is None:
        return "NULL"
    if isinstance(value, str):
        return c_string(value.encode("utf-8", "surrogateescape"))
    if isinstance(value, bytes):
        return hexadecimal_string(value)
    if isinstance(value, int):
        return str(int(value))
    name = getattr(value, "__qualname__", None) or getattr(value, "comm", None)
    return str(name) if name else type(value).__qualname__


def returned(value: object) -> str:
    """A result of which nothing is known: C returns 0 where Python has nothing to say."""
    return str(int(value)) if isinstance(value, int) else "0"
