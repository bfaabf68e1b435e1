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

    `owner` is whoever may await it (a task), and nobody once it has been awaited.  `line` is where in the
    program it was made, if that is known.  There is no constructor: whoever makes it fills it in, in half
    the time.
    """

    __slots__ = ("arguments", "convert", "line", "name", "owner")

    owner: object | None
    name: str
    arguments: tuple[Any, ...]
    convert: Callable[[Any], T] | None
    line: str

    @property
    def used(self) -> bool:
        """Whether it has been awaited."""
        return self.owner is None

    def __await__(self) -> Generator[Call[T], Any, T]:
        result: T = yield self
        return result

    def __repr__(self) -> str:
        return f"<call {self.name}>"
