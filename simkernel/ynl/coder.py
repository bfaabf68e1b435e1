"""Coders: each encodes and decodes one attribute."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Protocol, TypeAlias

import attrs

from simkernel.uapi.structure import Buffer, Malformed
from simkernel.ynl.names import Conversion
from simkernel.ynl.source import Source

Encoder: TypeAlias = Callable[[Any], bytes]
"""Function that encodes a value as a whole attribute: header, payload and padding.

It raises ValueError for a wrong value.
"""
Decoder: TypeAlias = Callable[[Buffer, int, int], Any]
"""Function that decodes a payload.  Its arguments are a buffer, and the start and end of the payload in the
buffer.

It raises Malformed.
"""

_PADDING: Final = {1: "xxx", 2: "xx", 4: "", 8: ""}


@attrs.frozen(eq=False)
class Fixed:
    """A payload of fixed size: one field of a C struct.  Compiled functions pack several such fields at
    once.
    """

    code: str
    to_wire: Conversion | None = None
    from_wire: Conversion | None = None

    @property
    def size(self) -> int:
        """Length of the payload in bytes."""
        return struct.calcsize("<" + self.code)

    @property
    def padded(self) -> str:
        """Format of the field for the module `struct`, with the padding after the field."""
        return self.code + _PADDING[self.size]


@attrs.frozen(eq=False)
class Payload:
    """A payload of variable length, such as a string. It provides the Python expressions with which compiled
    functions convert the payload.

    `to_bytes` returns the expression that converts a value to bytes. `from_bytes` returns the expression that
    converts bytes to a value.
    """

    to_bytes: Callable[[Source, str], str]
    from_bytes: Callable[[str], str]


@attrs.frozen(eq=False)
class Coder:
    """Encodes and decodes one attribute."""

    name: str
    number: int
    encode: Encoder
    decode: Decoder
    fields: tuple[Fixed, ...] = ()
    """One field for each fixed size that the payload can have. A `uint` has two fields (4 and 8 bytes), a
    string has none.
    """
    inside: Inside | None = None
    """The attributes inside a nest, or None if the attribute is not a nest."""
    entry: Coder | None = None
    """The coder of one entry, if the attribute is an indexed array, else None."""
    payload: Payload | None = None
    multi: bool = False
    """True for a multi-attr: the attribute may occur several times in a message, and `encode` takes a list of
    values.
    """

    @property
    def fixed(self) -> Fixed | None:
        """The layout of the payload if the payload can have only one size, otherwise None."""
        return self.fields[0] if len(self.fields) == 1 else None

    def field_of(self, size: int) -> Fixed | None:
        """Return the field for a payload of `size` bytes, or None if no field has this size."""
        return next((field for field in self.fields if field.size == size), None)


class Inside(Protocol):
    """The interface of a set of attributes. It has the coder of each attribute, and encodes and decodes all
    attributes of a message or nest.
    """

    @property
    def by_name(self) -> Mapping[str, Coder]:
        """The coders of all attributes, by name."""

    @property
    def by_number(self) -> Mapping[int, Coder]:
        """The coders of the attributes that have a payload, by attribute type."""

    def encode(self, values: Mapping[str, Any]) -> bytes:
        """Encode the attributes in `values`, in the order of the mapping."""

    def decode(self, data: Buffer, at: int, end: int) -> dict[str, Any]:
        """Decode the attributes in `data[at:end]`."""


def repeated(coder: Coder) -> Coder:
    """Return the coder of a multi-attr.  It takes a list of values and encodes each one as an attribute with
    `coder`.
    """

    def encode(values: Any) -> bytes:
        return b"".join([coder.encode(value) for value in listed(values)])

    return attrs.evolve(coder, encode=encode, multi=True)


def short(name: str, expected: str, found: int) -> Malformed:
    """Return the exception for an attribute whose payload has a wrong size. `expected` is a text such as
    "expected 4 bytes".
    """
    return Malformed(f"attribute '{name}': {expected}, found {found}")


def listed(values: Any) -> Iterable[Any]:
    """Return `values` if it is an iterable of values.  Raise ValueError if it is a single value."""
    if isinstance(values, str | bytes) or not hasattr(values, "__iter__"):
        raise ValueError(f"expected a list, found {values!r}")
    many: Iterable[Any] = values
    return many
