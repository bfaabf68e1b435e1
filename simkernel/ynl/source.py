"""The source text of compiled functions, which encode and decode frequent messages.

The shape of a message is its attributes and their order.  Its layout is its shape and the lengths.
Encoders are compiled for a shape, decoders for a layout.  A compiled function returns the same result as
the generic code in space.py, but is several times faster.  It passes a message that does not fit to the
generic code.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from simkernel.uapi.structure import Buffer

Encode: TypeAlias = Callable[[Mapping[str, Any]], bytes]
Decode: TypeAlias = Callable[[Buffer, int, int], dict[str, Any]]

MAX_ATTRIBUTES: Final = 256
MAX_DEPTH: Final = 32
"""Limits of compiled functions. A function has at most two variables for each of MAX_ATTRIBUTES attributes. A
decoder handles at most MAX_DEPTH levels of nested attributes.
"""


class Unfit(Exception):
    """Raised if no function is compiled, because a message has too many attributes or levels of nests."""


class Source:
    """The source text of a function, and the objects that the text refers to."""

    def __init__(self, first: str) -> None:
        self.lines = [first]
        self.names: dict[str, Any] = {}
        self._variables = 0

    def bind(self, value: Any) -> str:
        """Give an object a new global name in the source, and return the name."""
        name = f"_{len(self.names)}"
        self.names[name] = value
        return name

    def variable(self) -> str:
        """Return the name of a new local variable."""
        self._variables += 1
        if self._variables > 2 * MAX_ATTRIBUTES:  # an attribute needs at most two variables: value and length
            raise Unfit
        return f"v{self._variables}"

    def add(self, line: str) -> None:
        """Add a line to the body of the function."""
        self.lines.append(f"    {line}")

    def function(self, name: str) -> Any:
        """Compile the source and return the function."""
        exec("\n".join(self.lines), self.names)
        return self.names[name]


def word(length: int, number: int) -> int:
    """Return the header of an attribute as one little-endian integer."""
    return length | number << 16
