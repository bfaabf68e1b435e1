"""What stands in an attribute, to bytes and back: a coder for each type but those that hold attributes.

An encoder takes a value and makes the whole attribute, header and padding included; it raises
ValueError with what was expected and what was found.  A decoder takes a buffer and where in it the
payload begins and ends; it raises Malformed.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from struct import Struct
from typing import Any, Final, Protocol, TypeAlias

import attrs

from simkernel.uapi.netlink import NLA_HDRLEN, NLA_MAX_PAYLOAD
from simkernel.uapi.netlink import attribute as header_and
from simkernel.uapi.structure import Buffer, Malformed
from simkernel.uapi.ynl.model import Attribute
from simkernel.uapi.ynl.names import Conversion, from_number, to_number
from simkernel.uapi.ynl.sets import type_range

Encoder: TypeAlias = Callable[[Any], bytes]
Decoder: TypeAlias = Callable[[Buffer, int, int], Any]

_CODES: Final = {
    "u8": "B",
    "u16": "H",
    "u32": "I",
    "u64": "Q",
    "s8": "b",
    "s16": "h",
    "s32": "i",
    "s64": "q",
}
_PADDING: Final = {1: "xxx", 2: "xx", 4: "", 8: ""}
_NARROW: Final = {"uint": "u32", "sint": "s32"}
_WIDE: Final = {"uint": "u64", "sint": "s64"}
_TAILS: Final = (b"", b"\0\0\0", b"\0\0", b"\0")
_HEADER: Final = Struct("<HH")
_BITFIELD32: Final = Struct("<II")


@attrs.frozen(eq=False)
class Fixed:
    """A payload of fixed size that is one field of a struct: what `compiled.py` makes runs of."""

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
class Coder:
    """How one attribute goes to bytes and back."""

    name: str
    number: int
    encode: Encoder
    decode: Decoder
    fixed: Fixed | None = None
    inside: Space | None = None
    """The attributes inside, where the payload is nothing but those."""
    multi: bool = False


class Space(Protocol):
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


def plain_coder(attribute: Attribute) -> Coder:
    """The coder of an attribute that holds no others; of a multi-attr, that of one occurrence."""
    return _MAKERS.get(attribute.type, _integer)(attribute)


def repeated(coder: Coder) -> Coder:
    """The coder of a multi-attr: a list, of which each item is an attribute of its own."""

    def encode(values: Any) -> bytes:
        return b"".join([coder.encode(value) for value in _listed(values)])

    return attrs.evolve(coder, encode=encode, fixed=None, inside=None, multi=True)


def short(name: str, expected: str, found: int) -> Malformed:
    """The exception about an attribute whose payload has not the size it must have."""
    return Malformed(f"attribute '{name}': expected {expected}, found {found}")


def _integer(attribute: Attribute) -> Coder:
    name, number = attribute.name, attribute.number
    to_wire, from_wire = to_number(attribute), from_number(attribute)
    code = _CODES[attribute.type]
    if attribute.big_endian:
        swap = _swapper(struct.calcsize("<" + code), attribute.type[0] == "s")
        to_wire, from_wire = _chain(to_wire, swap), _chain(swap, from_wire)
    fixed = Fixed(code, to_wire, from_wire)
    size, length = fixed.size, NLA_HDRLEN + fixed.size
    pack = Struct(f"<HH{fixed.padded}").pack
    unpack = Struct("<" + code).unpack_from

    def encode(value: Any) -> bytes:
        try:
            return pack(length, number, value if to_wire is None else to_wire(value))
        except (struct.error, TypeError, OverflowError, AttributeError):
            raise _no_integer(attribute, value) from None

    def decode(data: Buffer, start: int, end: int) -> Any:
        if end - start < size:
            raise short(name, f"{size} bytes", end - start)
        value = unpack(data, start)[0]
        return value if from_wire is None else from_wire(value)

    return Coder(name, number, encode, decode, fixed)


def _wide_integer(attribute: Attribute) -> Coder:
    """An integer in 32 bits if it fits, else in 64 (nla_put_uint(), nla_put_sint())."""
    name = attribute.name
    narrow = _integer(attrs.evolve(attribute, type=_NARROW[attribute.type]))
    wide = _integer(attrs.evolve(attribute, type=_WIDE[attribute.type]))
    convert = to_number(attribute)
    low, high = type_range(_NARROW[attribute.type])

    def encode(value: Any) -> bytes:
        try:
            number = value if convert is None else convert(value)
            return (narrow if low <= number <= high else wide).encode(number)
        except TypeError:
            raise _no_integer(attribute, value) from None

    def decode(data: Buffer, start: int, end: int) -> Any:
        if end - start not in (4, 8):
            raise short(name, "4 or 8 bytes", end - start)
        return (narrow if end - start == 4 else wide).decode(data, start, end)

    return Coder(name, attribute.number, encode, decode)


def _no_integer(attribute: Attribute, value: Any) -> ValueError:
    low, high = type_range(attribute.type)
    names = "" if attribute.enum is None else f" or names of {attribute.enum.name}"
    return ValueError(f"expected an integer from {low} to {high}{names}, found {value!r}")


def _chain(first: Conversion | None, second: Conversion | None) -> Conversion | None:
    if first is None or second is None:
        return first or second
    return lambda value: second(first(value))


def _swapper(size: int, signed: bool) -> Conversion:
    """Between a big-endian integer and the little-endian one with the same bytes."""
    return lambda value: int.from_bytes(value.to_bytes(size, "big", signed=signed), "little", signed=signed)


def _string(attribute: Attribute) -> Coder:
    """Text with a NUL after it.  Bytes that are no UTF-8 survive as surrogates."""
    number, pack = attribute.number, _HEADER.pack

    def encode(value: Any) -> bytes:
        try:
            payload: bytes = (value + "\0").encode("utf-8", "surrogateescape")
            length = NLA_HDRLEN + len(payload)
            return pack(length, number) + payload + _TAILS[length & 3]
        except (TypeError, AttributeError, UnicodeEncodeError):
            raise ValueError(f"expected text, found {value!r}") from None
        except struct.error:
            raise _too_long(length - NLA_HDRLEN) from None

    def decode(data: Buffer, start: int, end: int) -> str:
        return str(data[start:end], "utf-8", "surrogateescape").partition("\0")[0]

    return Coder(attribute.name, number, encode, decode)


def _binary(attribute: Attribute) -> Coder:
    if attribute.sub_type:
        return _array(attribute)
    number = attribute.number

    def encode(value: Any) -> bytes:
        if not isinstance(value, bytes | bytearray | memoryview):
            raise ValueError(f"expected bytes, found {value!r}")
        return _checked(number, bytes(value))

    def decode(data: Buffer, start: int, end: int) -> bytes:
        return bytes(data[start:end])

    return Coder(attribute.name, number, encode, decode)


def _array(attribute: Attribute) -> Coder:
    """A C array of integers."""
    name, number = attribute.name, attribute.number
    item = _integer(attrs.evolve(attribute, type=attribute.sub_type))
    assert item.fixed is not None
    size = item.fixed.size

    def encode(values: Any) -> bytes:
        payload = b"".join(item.encode(value)[NLA_HDRLEN : NLA_HDRLEN + size] for value in _listed(values))
        return _checked(number, payload)

    def decode(data: Buffer, start: int, end: int) -> list[Any]:
        if (end - start) % size:
            raise short(name, f"a multiple of {size} bytes", end - start)
        return [item.decode(data, at, at + size) for at in range(start, end, size)]

    return Coder(name, number, encode, decode)


def _flag(attribute: Attribute) -> Coder:
    """An attribute whose presence is all it says: True; False leaves it out."""
    present = header_and(attribute.number)

    def encode(value: Any) -> bytes:
        if not isinstance(value, bool):
            raise ValueError(f"expected True or False, found {value!r}")
        return present if value else b""

    return Coder(attribute.name, attribute.number, encode, lambda data, start, end: True)


def _bitfield32(attribute: Attribute) -> Coder:
    """struct nla_bitfield32 as {"value": ..., "selector": ...}."""
    name, number = attribute.name, attribute.number
    to_wire, from_wire = to_number(attribute), from_number(attribute)

    def encode(value: Any) -> bytes:
        try:
            pair = [value["value"], value["selector"]]
            payload = _BITFIELD32.pack(*(pair if to_wire is None else map(to_wire, pair)))
        except (struct.error, TypeError, KeyError):
            raise ValueError(
                f"expected a mapping with 'value' and 'selector' of 32 bits, found {value!r}"
            ) from None
        return header_and(number, payload)

    def decode(data: Buffer, start: int, end: int) -> dict[str, Any]:
        if end - start < _BITFIELD32.size:
            raise short(name, f"{_BITFIELD32.size} bytes", end - start)
        pair = _BITFIELD32.unpack_from(data, start)
        value, selector = pair if from_wire is None else map(from_wire, pair)
        return {"value": value, "selector": selector}

    return Coder(name, number, encode, decode)


def _silent(attribute: Attribute) -> Coder:
    """Padding and reserved numbers: never sent, passed over when they come."""

    def encode(value: Any) -> bytes:
        raise ValueError(f"an attribute of type {attribute.type} carries nothing")

    return Coder(attribute.name, attribute.number, encode, lambda data, start, end: None)


def _listed(values: Any) -> Any:
    if isinstance(values, str | bytes) or not hasattr(values, "__iter__"):
        raise ValueError(f"expected a list, found {values!r}")
    return values


def _checked(number: int, payload: bytes) -> bytes:
    if len(payload) > NLA_MAX_PAYLOAD:
        raise _too_long(len(payload))
    return header_and(number, payload)


def _too_long(length: int) -> ValueError:
    return ValueError(f"expected at most {NLA_MAX_PAYLOAD} bytes, found {length}")


_MAKERS: Final[dict[str, Callable[[Attribute], Coder]]] = {
    "uint": _wide_integer,
    "sint": _wide_integer,
    "string": _string,
    "binary": _binary,
    "flag": _flag,
    "bitfield32": _bitfield32,
    "pad": _silent,
    "unused": _silent,
}
