"""Netlink attributes in the format of strace: `[{nla_len=8, nla_type=CTRL_ATTR_VERSION}, 2]`.

A nest is printed as the list of its attributes.  An attribute without a value is printed as its header
only.  Unknown values are printed as strings of hexadecimal bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from struct import Struct
from typing import Final

import attrs

from simkernel.trace.strace.constants import Names, flags, hexadecimal, number, pick
from simkernel.trace.strace.quoting import c_string, hexadecimal_string
from simkernel.uapi import netlink
from simkernel.uapi.structure import Buffer

Value = Callable[[Buffer], str]

_FLAGS: Final = pick(netlink, "NLA_F_", "NESTED NET_BYTEORDER")


@attrs.frozen
class AttributeSet:
    """The attributes of one nest: their names, and the printers of their values."""

    names: Names = attrs.field(factory=dict)
    values: Mapping[int, Value] = attrs.field(factory=dict)
    unknown: str = ""
    every: Value | None = None
    """If the nest is an array, the printer of every entry, otherwise None."""


def scalar(layout: Struct, form: Callable[[int], str] = str) -> Value:
    """Return a printer of values with this layout.  Values of another length are printed as bytes."""

    def print_scalar(data: Buffer) -> str:
        return form(layout.unpack(data)[0]) if len(data) == layout.size else hexadecimal_string(data)

    return print_scalar


def string(data: Buffer) -> str:
    """Format a NUL-terminated string."""
    return c_string(bytes(data).partition(b"\0")[0])


def nest(of: AttributeSet) -> Value:
    """Return a printer of nested attributes."""
    return lambda data: attributes_text(data, of)


def attributes_text(data: Buffer, of: AttributeSet) -> str:
    """Format a sequence of attributes.  After an attribute with an invalid length, the rest is ignored."""
    found, offset = [], 0
    while len(data) - offset >= netlink.NLA_HDRLEN:
        header = netlink.NlAttr.unpack(data, offset)
        found.append(_attribute_text(header, data[offset + netlink.NLA_HDRLEN : offset + header.length], of))
        if header.length < netlink.NLA_HDRLEN:
            return listed(found)
        offset += netlink.align4(header.length)
    if offset < len(data):
        found.append(hexadecimal_string(data[offset:]))
    return listed(found)


def _attribute_text(header: netlink.NlAttr, payload: Buffer, of: AttributeSet) -> str:
    kind = header.type & netlink.NLA_TYPE_MASK
    parts = [flags(header.type & ~netlink.NLA_TYPE_MASK, _FLAGS)] if header.type != kind else []
    parts.append(number(kind, of.names, of.unknown) if of.unknown else hexadecimal(kind))
    text = f"{{nla_len={header.length}, nla_type={'|'.join(parts)}}}"
    if not len(payload):
        return text
    value = of.every or of.values.get(kind, hexadecimal_string)
    return f"[{text}, {value(payload)}]"


def listed(texts: Sequence[str]) -> str:
    return texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
