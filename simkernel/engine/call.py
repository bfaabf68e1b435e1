"""A system call as a program sees it: a lazy request, used once, acting when awaited.

    received = await sock.recv(100)      # in an async program
    received = yield sock.recv(100)      # the same in a generator program

Making a call does nothing; awaiting it hands it to the task that drives the program.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Call(Generic[T]):
    """One system call: its name and arguments, and what makes a result of its raw result.

    `owner` is whoever may await it (a task); `used` is set when it has been awaited.
    """

    __slots__ = ("arguments", "convert", "line", "name", "owner", "used")

    def __init__(
        self, owner: object, name: str, arguments: tuple[Any, ...], convert: Callable[[Any], T] | None = None
    ) -> None:
        self.owner = owner
        self.name = name
        self.arguments = arguments
        self.convert = convert
        self.used = False
        self.line: str | None = None

    def __await__(self) -> Generator[Call[T], Any, T]:
        result: T = yield self
        return result

    def __repr__(self) -> str:
        return f"<call {self.name}>"
