"""What goes to bytes and back: one attribute, and a space of them."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Protocol, TypeAlias

import attrs

from simkernel.uapi.structure import Buffer, Malformed
from simkernel.ynl.names import Conversion
from simkernel.ynl.source import Source

Encoder: TypeAlias = Callable[[Any], bytes]
"""Makes the whole attribute, header and padding included.  Raises ValueError: what was expected and found."""
Decoder: TypeAlias = Callable[[Buffer, int, int], Any]
"""Takes a buffer and where in it the payload begins and ends.  Raises Malformed."""

_PADDING: Final = {1: "xxx", 2: "xx", 4: "", 8: ""}


@attrs.frozen(eq=False)
class Fixed:
    """A payload of fixed size that is one field of a struct: what compiled coders make runs of."""

    code: str
    to_wire: Conversion | None = None
    from_wire: Conversion | None = None

    @property
    def size(self) -> int:
        """The payload's length in bytes."""
        return struct.calcsize("<" + self.code)

    @property
    def padded(self) -> str:
        """The field and the padding after it, for a struct's format."""
        return self.code + _PADDING[self.size]


@attrs.frozen(eq=False)
class Payload:
    """A payload that is one value of any length, as text for compiled coders.

    to_bytes    the expression that makes its bytes of a variable
    from_bytes  the expression that makes the value of a variable with its bytes
    """

    to_bytes: Callable[[Source, str], str]
    from_bytes: Callable[[str], str]


@attrs.frozen(eq=False)
class Coder:
    """How one attribute goes to bytes and back."""

    name: str
    number: int
    encode: Encoder
    decode: Decoder
    fields: tuple[Fixed, ...] = ()
    """What the payload may be, if it is a field of a struct."""
    inside: Inside | None = None
    """The attributes inside, where the payload is nothing but those."""
    entry: Coder | None = None
    """The coder of each attribute inside, where their types are but indices."""
    payload: Payload | None = None
    multi: bool = False
    """Whether there may be several, which `encode` takes as a list."""

    @property
    def fixed(self) -> Fixed | None:
        """The field that the payload always is."""
        return self.fields[0] if len(self.fields) == 1 else None

    def field_of(self, size: int) -> Fixed | None:
        """The field that a payload of `size` bytes is."""
        return next((field for field in self.fields if field.size == size), None)


class Inside(Protocol):
    """A space of attributes: their coders, and all of them at once."""

    @property
    def by_name(self) -> Mapping[str, Coder]:
        """The coders of all attributes."""

    @property
    def by_number(self) -> Mapping[int, Coder]:
        """The coders of those that carry something."""

    def encode(self, values: Mapping[str, Any]) -> bytes:
        """The bytes of the attributes in `values`, in that order."""

    def decode(self, data: Buffer, at: int, end: int) -> dict[str, Any]:
        """The attributes in `data[at:end]`."""


def repeated(coder: Coder) -> Coder:
    """The coder of a multi-attr: a list, of which each item is an attribute of its own."""

    def encode(values: Any) -> bytes:
        return b"".join([coder.encode(value) for value in listed(values)])

    return attrs.evolve(coder, encode=encode, multi=True)


def short(name: str, expected: str, found: int) -> Malformed:
    """The exception about an attribute whose payload has not the size it must have."""
    return Malformed(f"attribute '{name}': expected {expected}, found {found}")


def listed(values: Any) -> Iterable[Any]:
    """The values, if they are many.  ValueError if they are one."""
    if isinstance(values, str | bytes) or not hasattr(values, "__iter__"):
        raise ValueError(f"expected a list, found {values!r}")
    many: Iterable[Any] = values
    return many
