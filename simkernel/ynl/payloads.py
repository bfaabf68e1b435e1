"""Coders of attributes that contain no attributes.  Each type has its own coder."""

from __future__ import annotations

import struct
from collections.abc import Callable
from struct import Struct
from typing import Any, Final

import attrs

from simkernel.uapi.netlink import NLA_HDRLEN, NLA_MAX_PAYLOAD
from simkernel.uapi.netlink import attribute as header_and
from simkernel.uapi.structure import Buffer
from simkernel.ynl.coder import Coder, Fixed, Payload, listed, short
from simkernel.ynl.compile_encoder import TAILS
from simkernel.ynl.model import Attribute
from simkernel.ynl.names import Conversion, from_number, to_number
from simkernel.ynl.schema import type_range

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
_HEADER: Final = Struct("<HH")
_BITFIELD32: Final = Struct("<II")


def plain_coder(attribute: Attribute) -> Coder:
    """Return the coder of an attribute without nested attributes.

    For a multi-attr it codes one occurrence.
    """
    return _MAKERS.get(attribute.type, _integer)(attribute)


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
            raise short(name, f"expected {size} bytes", end - start)
        value = unpack(data, start)[0]
        return value if from_wire is None else from_wire(value)

    return Coder(name, number, encode, decode, (fixed,))


def _wide_integer(attribute: Attribute) -> Coder:
    """Return the coder of a uint or sint.  Its payload has 32 bits, or 64 bits if the value does not fit into
    32.

    nla_put_uint(), nla_put_sint().
    """
    name = attribute.name
    narrow_type, wide_type = ("u32", "u64") if attribute.type == "uint" else ("s32", "s64")
    narrow = _integer(attrs.evolve(attribute, type=narrow_type))
    wide = _integer(attrs.evolve(attribute, type=wide_type))
    convert = to_number(attribute)
    low, high = type_range(narrow_type)

    def encode(value: Any) -> bytes:
        try:
            number = value if convert is None else convert(value)
            return (narrow if low <= number <= high else wide).encode(number)
        except TypeError:
            raise _no_integer(attribute, value) from None

    def decode(data: Buffer, start: int, end: int) -> Any:
        if end - start not in (4, 8):
            raise short(name, "expected 4 or 8 bytes", end - start)
        return (narrow if end - start == 4 else wide).decode(data, start, end)

    return Coder(name, attribute.number, encode, decode, narrow.fields + wide.fields)


def _no_integer(attribute: Attribute, value: Any) -> ValueError:
    low, high = type_range(attribute.type)
    names = "" if attribute.enum is None else f" or names of {attribute.enum.name}"
    return ValueError(f"expected an integer from {low} to {high}{names}, found {value!r}")


def _chain(first: Conversion | None, second: Conversion | None) -> Conversion | None:
    if first is None or second is None:
        return first or second
    return lambda value: second(first(value))


def _swapper(size: int, signed: bool) -> Conversion:
    """Return a function that reverses the bytes of an integer of `size` bytes."""
    return lambda value: int.from_bytes(value.to_bytes(size, "big", signed=signed), "little", signed=signed)


def _string(attribute: Attribute) -> Coder:
    """Return the coder of a NUL-terminated text.  Bytes that are not UTF-8 become surrogates."""
    number, pack = attribute.number, _HEADER.pack

    def encode(value: Any) -> bytes:
        try:
            payload: bytes = (value + "\0").encode("utf-8", "surrogateescape")
            length = NLA_HDRLEN + len(payload)
            return pack(length, number) + payload + TAILS[length & 3]
        except (TypeError, AttributeError, UnicodeEncodeError):
            raise ValueError(f"expected text, found {value!r}") from None
        except struct.error:
            raise _too_long(length - NLA_HDRLEN) from None

    def decode(data: Buffer, start: int, end: int) -> str:
        return str(data[start:end], "utf-8", "surrogateescape").partition("\0")[0]

    return Coder(attribute.name, number, encode, decode, payload=_TEXT)


def _binary(attribute: Attribute) -> Coder:
    if attribute.sub_type:
        return _array(attribute)
    number = attribute.number

    def encode(value: Any) -> bytes:
        return checked(number, _as_bytes(value))

    def decode(data: Buffer, start: int, end: int) -> bytes:
        return bytes(data[start:end])

    return Coder(attribute.name, number, encode, decode, payload=_BYTES)


def _as_bytes(value: Any) -> bytes:
    if not isinstance(value, bytes | bytearray | memoryview):
        raise ValueError(f"expected bytes, found {value!r}")
    return bytes(value)


def _array(attribute: Attribute) -> Coder:
    """Return the coder of a C array of integers."""
    name, number = attribute.name, attribute.number
    item = _integer(attrs.evolve(attribute, type=attribute.sub_type))
    assert item.fixed is not None
    size = item.fixed.size

    def encode(values: Any) -> bytes:
        payload = b"".join(item.encode(value)[NLA_HDRLEN : NLA_HDRLEN + size] for value in listed(values))
        return checked(number, payload)

    def decode(data: Buffer, start: int, end: int) -> list[Any]:
        if (end - start) % size:
            raise short(name, f"expected a multiple of {size} bytes", end - start)
        return [item.decode(data, at, at + size) for at in range(start, end, size)]

    return Coder(name, number, encode, decode)


def _flag(attribute: Attribute) -> Coder:
    """Return the coder of a flag, an attribute without payload.  To encode False, it adds no attribute."""
    present = header_and(attribute.number)

    def encode(value: Any) -> bytes:
        if not isinstance(value, bool):
            raise ValueError(f"expected True or False, found {value!r}")
        return present if value else b""

    return Coder(attribute.name, attribute.number, encode, lambda data, start, end: True)


def _bitfield32(attribute: Attribute) -> Coder:
    """Return the coder of a struct nla_bitfield32. In Python, it is a dict with the keys `value` and
    `selector`.
    """
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
            raise short(name, f"expected {_BITFIELD32.size} bytes", end - start)
        pair = _BITFIELD32.unpack_from(data, start)
        value, selector = pair if from_wire is None else map(from_wire, pair)
        return {"value": value, "selector": selector}

    return Coder(name, number, encode, decode)


def _silent(attribute: Attribute) -> Coder:
    """Return the coder of an attribute of type `pad` or `unused`. Encoding it raises an error, and decoding
    ignores it.
    """

    def encode(value: Any) -> bytes:
        raise ValueError(f"an attribute of type {attribute.type} has no payload")

    return Coder(attribute.name, attribute.number, encode, lambda data, start, end: None)


def checked(number: int, payload: bytes) -> bytes:
    """Check the payload's length, and return an encoded attribute with the attribute type `number`.

    Raise ValueError if the payload is too long for the 16-bit length field.
    """
    if len(payload) > NLA_MAX_PAYLOAD:
        raise _too_long(len(payload))
    return header_and(number, payload)


def _too_long(length: int) -> ValueError:
    return ValueError(f"expected at most {NLA_MAX_PAYLOAD} bytes, found {length}")


_TEXT: Final = Payload(
    lambda source, value: f"({value} + '\\0').encode('utf-8', 'surrogateescape')",
    lambda payload: f"{payload}.decode('utf-8', 'surrogateescape').partition('\\0')[0]",
)
_BYTES: Final = Payload(
    lambda source, value: f"{value} if type({value}) is bytes else {source.bind(_as_bytes)}({value})",
    lambda payload: payload,
)


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
