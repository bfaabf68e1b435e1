"""How a system call is printed: its arguments and its result."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

import attrs

from simkernel.trace.strace.arguments import PRINTERS, octal, text
from simkernel.trace.strace.constants import hexadecimal
from simkernel.uapi.syscalls import Argument, SyscallSpec

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


def returned(value: object, *_: object) -> str:
    """A result of which nothing is known: C returns 0 where Python has nothing to say."""
    return str(int(value)) if isinstance(value, int) else "0"


def plain(_: View, *arguments: object) -> Texts:
    """Arguments of which nothing is known."""
    return [text(argument) for argument in arguments]


def fd_only(_: View, fd: int, *__: object) -> Texts:
    """The descriptor, for a call that fills everything else."""
    return [str(fd)]


def form(spec: SyscallSpec) -> Form:
    """The form of a call that the table describes completely."""
    filled = [position for position, argument in enumerate(spec.prototype) if argument.filled]
    entering = filled[0] if filled else len(spec.prototype)
    before, after = spec.prototype[:entering], spec.prototype[entering:]
    passed = sum(1 for argument in before if argument.name)

    def enter(_: View, *arguments: object) -> Texts:
        return _texts(before, None, arguments)

    def leave(_: View, result: object, *arguments: object) -> Texts:
        return _texts(after, result, arguments[passed:])

    return Form(enter, leave if filled else None, RESULTS.get(spec.result, returned))


def _texts(prototype: Sequence[Argument], result: object, arguments: Sequence[object]) -> Texts:
    """The arguments in C's order.  One that is left out is printed if the table has a text for it."""
    left = list(arguments)
    texts = []
    for argument in prototype:
        if argument.filled:
            texts.append("NULL" if result is None else PRINTERS[argument.kind](result))
        elif argument.name and left:
            texts.append(PRINTERS[argument.kind](left.pop(0)))
        elif argument.default:
            texts.append(argument.default)
    return texts


def _length(result: Any, *_: object) -> str:
    if isinstance(result, int):
        return str(result)
    return str(len(result.encode("utf-8", "surrogateescape") if isinstance(result, str) else result))


RESULTS: Final[dict[str, Callable[..., str]]] = {
    "address": lambda result, *_: hexadecimal(int(result)),
    "length": _length,
    "octal": lambda result, *_: octal(result),
    "string": lambda result, *_: str(len(result) + 1),
}
"""Printers of results that are no plain numbers, by the table's `result`."""
