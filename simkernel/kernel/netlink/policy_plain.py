"""Attributes that are right at a glance: the least that has to be looked at where nothing is odd.

Most attributes bear no flags, have the very length that their type has, and a value as it should be.
That is seen here from their length and at most one more look.  Nothing is ever found to be wrong:
whatever is not plainly right is for policy.py to judge.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from simkernel.uapi import structure
from simkernel.uapi.netlink import NLA_HDRLEN, NLA_MAX_PAYLOAD
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

Holds = Callable[[bytes, int, int], bool]
"""Whether the payload from here to there is as it should be."""
Plain = tuple[int, int, Holds | None]
"""The least and the greatest length, header included, and what else has to hold."""


def plain(policy: AttributePolicy) -> Plain | None:
    """When an attribute is plainly right, however strictly it is checked; None if that is not so simple."""
    kind, validation = policy.type, policy.validation
    if kind in NUMBERS:
        layout = NUMBERS[kind]
        size = layout.size
        return None if policy.length > size else _of_length(size, size, _number(policy, layout))
    if kind in WIDE:
        return _of_length(4, 8, _wide(policy))
    if kind is NlaType.BINARY:
        return _binary(policy)
    if validation is not Validation.NONE:
        return None
    if kind is NlaType.FLAG:
        return _of_length(0, 0)
    if kind is NlaType.STRING:
        return _of_length(1, policy.length or NLA_MAX_PAYLOAD)
    if kind is NlaType.NUL_STRING:
        return _of_length(1, policy.length + 1 if policy.length else NLA_MAX_PAYLOAD, _ends_with_nul)
    return None


def _of_length(least: int, most: int, holds: Holds | None = None) -> Plain:
    return NLA_HDRLEN + least, NLA_HDRLEN + most, holds


def _ends_with_nul(data: bytes, first: int, last: int) -> bool:
    return not data[last - 1]


def _binary(policy: AttributePolicy) -> Plain | None:
    least, most = 0, policy.length or NLA_MAX_PAYLOAD
    if policy.validation is not Validation.NONE:
        low, high = value_range(policy)
        least, most = max(least, low), min(most, high)
    return _of_length(least, most)


def _number(policy: AttributePolicy, layout: Struct) -> Holds | None:
    """What has to hold of a number."""
    value = layout.unpack_from
    if policy.validation is Validation.NONE:
        return None
    if policy.validation is Validation.MASK:
        reserved = ~policy.mask
        return lambda data, first, last: not value(data, first)[0] & reserved
    if policy.validation is Validation.FUNCTION:
        accepted = frozenset(policy.accepted)
        return lambda data, first, last: value(data, first)[0] in accepted
    low, high = value_range(policy)
    return lambda data, first, last: low <= value(data, first)[0] <= high


def _wide(policy: AttributePolicy) -> Holds:
    checks = {size: _number(policy, layout) for size, layout in WIDE[policy.type].items()}

    def holds(data: bytes, first: int, last: int) -> bool:
        size = last - first
        return size in checks and ((check := checks[size]) is None or check(data, first, last))

    return holds
