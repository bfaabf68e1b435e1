"""The format of a system call: its arguments and its result."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

import attrs

from simkernel.trace.strace.arguments import PRINTERS, octal, text
from simkernel.trace.strace.constants import hexadecimal
from simkernel.uapi.syscalls import Argument, SyscallSpec

Texts = list[str]


class View(Protocol):
    """A decoder of datagrams that knows the protocol of each descriptor's socket."""

    def datagram(self, fd: int, data: bytes, *, received: bool = False) -> str:
        """Format a datagram that is sent or received through a descriptor."""
        ...


@attrs.frozen
class Form:
    """Functions that format a system call: `enter` formats the arguments that are known at its entry, `leave`
    the remaining arguments, and `result` its result.

    `leave` is called with the result (None if the call has failed) and the arguments.
    """

    enter: Callable[..., Texts]
    leave: Callable[..., Texts] | None = None
    result: Callable[..., str] | None = None


def returned(value: object, *_: object) -> str:
    """Format a result of unknown kind. A result that is not an int, such as None, is printed as 0, because
    the system call returns 0 in C.
    """
    return str(int(value)) if isinstance(value, int) else "0"


def plain(_: View, *arguments: object) -> Texts:
    """Format arguments of unknown kinds."""
    return [text(argument) for argument in arguments]


def fd_only(_: View, fd: int, *__: object) -> Texts:
    """Format only the descriptor, the first argument. The other arguments are formatted when the call
    returns.
    """
    return [str(fd)]


def form(spec: SyscallSpec) -> Form:
    """Return the functions that format a system call. They are made from the call's entry in the table of
    system calls.
    """
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
    """Format the arguments in the order of the C function. If the program omits an argument, use the default
    text from the table of system calls.
    """
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
"""Formatters of system call results, by the kind of the result (`result` in the table of system calls). A
result of any other kind is formatted by `returned`.
"""
