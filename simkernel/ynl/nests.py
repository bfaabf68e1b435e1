"""Coders for attributes that contain attributes: nests, and the indexed arrays of older families."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from struct import Struct
from typing import Any, Final

import attrs

from simkernel.uapi.netlink import NLA_F_NESTED, NLA_HDRLEN, NLA_TYPE_MASK
from simkernel.uapi.structure import Buffer, Malformed
from simkernel.ynl.coder import Coder, Inside, short
from simkernel.ynl.model import Attribute
from simkernel.ynl.payloads import checked, plain_coder

_HEADER: Final = Struct("<HH").unpack_from


def locate(data: Buffer, at: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Yield (type, start, end) for each attribute in `data[at:end]`; start and end are the offsets of its
    payload.

    Raises Malformed for bytes that are not an attribute, after yielding the attributes before them.
    """
    while at < end:
        left = end - at
        if left < NLA_HDRLEN:
            raise Malformed(
                f"attribute at offset {at}: expected {NLA_HDRLEN} bytes of a header, found {left}"
            )
        length, number = _HEADER(data, at)
        if not NLA_HDRLEN <= length <= left:
            raise Malformed(
                f"attribute at offset {at}: expected {NLA_HDRLEN} to {left} bytes, found {length}"
            )
        yield number & NLA_TYPE_MASK, at + NLA_HDRLEN, at + length
        at += (length + 3) & ~3


def nest_coder(attribute: Attribute, inside: Inside) -> Coder:
    """Return the coder of a nest.  It encodes a mapping and decodes to a mapping."""
    number = attribute.number | NLA_F_NESTED

    def encode(values: Any) -> bytes:
        return checked(number, inside.encode(values))

    return Coder(attribute.name, attribute.number, encode, inside.decode, inside=inside)


def type_value_coder(attribute: Attribute, inside: Inside) -> Coder:
    """Return the coder of a nest-type-value, a nest with inner nests. The attribute type of an inner nest is
    data, for instance an index.

    The value is one mapping with the attribute types of the inner nests and the attributes of the innermost
    nest.
    """
    name, names = attribute.name, attribute.type_values

    def encode(values: Any) -> bytes:
        if not isinstance(values, Mapping):
            raise ValueError(f"expected a mapping, found {values!r}")
        missing = [each for each in names if each not in values]
        if missing:
            raise ValueError(f"expected a value for '{missing[0]}'")
        payload = inside.encode({key: value for key, value in values.items() if key not in names})
        for number in (*[values[each] for each in reversed(names)], attribute.number):
            payload = checked(number | NLA_F_NESTED, payload)
        return payload

    def decode(data: Buffer, start: int, end: int) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for each in names:
            found = next(locate(data, start, end), None)
            if found is None:
                raise short(name, f"expected a nest whose attribute type is the value of '{each}'", 0)
            values[each], start, end = found
        return values | inside.decode(data, start, end)

    return Coder(name, attribute.number, encode, decode)


def indexed_array_coder(attribute: Attribute, inside: Inside | None, request: bool) -> Coder:
    """Return the coder of an indexed array.  Its value is a list.  The attribute type of each entry is its
    index, from 1.

    In a request these nests have the flag NLA_F_NESTED, because strict validation rejects nests without
    it.  In a reply they do not have it (nla_nest_start_noflag(), as in nlctrl).
    """
    flag = NLA_F_NESTED if request else 0
    entry = _plain_entry(attribute) if inside is None else _nested_entry(attribute, inside, flag)
    number = attribute.number | flag

    def encode(values: Any) -> bytes:
        if not isinstance(values, list | tuple):
            raise ValueError(f"expected a list, found {values!r}")
        entries = [entry.encode(index, value) for index, value in enumerate(values, 1)]
        return checked(number, b"".join(entries))

    def decode(data: Buffer, start: int, end: int) -> list[Any]:
        return [entry.coder.decode(data, start, end) for _, start, end in locate(data, start, end)]

    return Coder(attribute.name, attribute.number, encode, decode, entry=entry.coder)


@attrs.frozen(eq=False)
class _Entry:
    """Encodes and decodes one entry of an indexed array. `encode` takes the index and the value of the entry.
    `coder.decode` decodes the payload of the entry.
    """

    coder: Coder
    encode: Callable[[int, Any], bytes]


def _nested_entry(attribute: Attribute, inside: Inside, flag: int) -> _Entry:
    def encode(index: int, values: Any) -> bytes:
        return checked(index | flag, inside.encode(values))

    return _Entry(nest_coder(attribute, inside), encode)


def _plain_entry(attribute: Attribute) -> _Entry:
    plain = plain_coder(attrs.evolve(attribute, type=attribute.sub_type, sub_type="", number=0))

    def encode(index: int, value: Any) -> bytes:
        made = plain.encode(value)
        return made[:2] + index.to_bytes(2, "little") + made[NLA_HDRLEN:]

    return _Entry(plain, encode)
