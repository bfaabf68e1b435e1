"""Attributes that are right at a glance: the least that has to be looked at where nothing is odd.

Most attributes bear no flags, have the very length that their type has, and a value as it should be.
That is seen here from their length and at most one more look.  Nothing is ever found to be wrong:
whatever is not plainly right is for policy.py to judge.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from simkernel.uapi import structure
from simkernel.uapi.netlink import NLA_MAX_PAYLOAD
from simkernel.uapi.ynl.policy import AttributePolicy, NlaType, Validation, value_range

if TYPE_CHECKING:
    from struct import Struct

NUMBERS: Final[dict[NlaType, Struct]] = {
    NlaType.U8: structure.U8,
    NlaType.U16: structure.U16,
    NlaType.U32: structure.U32,
    NlaType.U64: structure.U64,
    NlaType.MSECS: structure.U64,
    NlaType.S8: structure.S8,
    NlaType.S16: structure.S16,
    NlaType.S32: structure.S32,
    NlaType.S64: structure.S64,
    NlaType.BE16: structure.BE16,
    NlaType.BE32: structure.BE32,
}
"""Types that are a number of a certain size."""
WIDE: Final[dict[NlaType, dict[int, Struct]]] = {
    NlaType.UINT: {4: structure.U32, 8: structure.U64},
    NlaType.SINT: {4: structure.S32, 8: structure.S64},
}
"""Types that are a number of one of two sizes."""

Plain = Callable[[bytes, int, int], bool]
"""Whether the payload that lies there, from and to, is plainly right."""


def plain(policy: AttributePolicy) -> Plain | None:
    """When an attribute is plainly right, however strictly it is checked; None if that is not so simple."""
    kind = policy.type
    if kind in NUMBERS:
        return _number(policy, NUMBERS[kind])
    if kind in WIDE:
        return _wide(policy)
    if kind is NlaType.BINARY:
        return _binary(policy)
    if policy.validation is not Validation.NONE:
        return None
    if kind is NlaType.FLAG:
        return lambda data, first, last: first == last
    if kind is NlaType.STRING:
        most = policy.length or NLA_MAX_PAYLOAD
        return lambda data, first, last: 0 < last - first <= most
    if kind is NlaType.NUL_STRING:
        most = policy.length + 1 if policy.length else NLA_MAX_PAYLOAD
        return lambda data, first, last: 0 < last - first <= most and not data[last - 1]
    return None


def _number(policy: AttributePolicy, layout: Struct) -> Plain | None:
    size, value = layout.size, layout.unpack_from
    if policy.length > size:
        return None
    if policy.validation is Validation.NONE:
        return lambda data, first, last: last - first == size
    if policy.validation is Validation.MASK:
        reserved = ~policy.mask
        return lambda data, first, last: last - first == size and not value(data, first)[0] & reserved
    if policy.validation is Validation.FUNCTION:
        accepted = frozenset(policy.accepted)
        return lambda data, first, last: last - first == size and value(data, first)[0] in accepted
    low, high = value_range(policy)
    return lambda data, first, last: last - first == size and low <= value(data, first)[0] <= high


def _wide(policy: AttributePolicy) -> Plain | None:
    short, long = (_number(policy, layout) for layout in WIDE[policy.type].values())
    if short is None or long is None:
        return None
    return lambda data, first, last: short(data, first, last) or long(data, first, last)


def _binary(policy: AttributePolicy) -> Plain:
    least, most = 0, policy.length or NLA_MAX_PAYLOAD
    if policy.validation is not Validation.NONE:
        low, high = value_range(policy)
        least, most = max(least, low), min(most, high)
    return lambda data, first, last: least <= last - first <= most
