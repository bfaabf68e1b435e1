"""Functions made of source text, for the messages that come again and again.

A message's shape is its attributes and their order; its layout is its shape and their lengths.  Encoders
are compiled per shape, decoders per layout.  Each returns what the walk over the attributes returns
(space.py), in a fraction of the time, and passes other messages on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from simkernel.uapi.structure import Buffer

Encode: TypeAlias = Callable[[Mapping[str, Any]], bytes]
Decode: TypeAlias = Callable[[Buffer, int, int], dict[str, Any]]

MOST_ATTRIBUTES: Final = 256
DEEPEST: Final = 32
"""Messages with more attributes, all the way down, or nests in nests, are walked."""


class Unfit(Exception):
    """A message is too large to have a function made for it."""


class Source:
    """Lines of a function, and the objects that they name."""

    def __init__(self, first: str) -> None:
        self.lines = [first]
        self.names: dict[str, Any] = {}
        self._variables = 0

    def bind(self, value: Any) -> str:
        """A name for an object."""
        name = f"_{len(self.names)}"
        self.names[name] = value
        return name

    def variable(self) -> str:
        """A new local name."""
        self._variables += 1
        if self._variables > 2 * MOST_ATTRIBUTES:  # a header and a value each
            raise Unfit
        return f"v{self._variables}"

    def add(self, line: str) -> None:
        """One more line of the body."""
        self.lines.append(f"    {line}")

    def function(self, name: str) -> Any:
        """The function that the lines define."""
        exec("\n".join(self.lines), self.names)
        return self.names[name]


def word(length: int, number: int) -> int:
    """The header of an attribute as one little-endian integer."""
    return length | number << 16
