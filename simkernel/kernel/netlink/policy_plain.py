"""Fast path of attribute validation: rules that recognize most valid attributes by length and value.

Most attributes have no flags, the exact length of their type, and a valid value. A rule accepts such an
attribute after at most one call. A rule never rejects: policy.py checks every attribute that its rule does
not accept.
"""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct
from typing import Final

from simkernel.uapi import structure
from simkernel.uapi.netlink import NLA_HDRLEN, NLA_MAX_PAYLOAD
from simkernel.ynl.policy import AttributePolicy, NlaType, Validation, value_range

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
"""Layouts of the numeric types with one size."""
WIDE: Final[dict[NlaType, dict[int, Struct]]] = {
    NlaType.UINT: {4: structure.U32, 8: structure.U64},
    NlaType.SINT: {4: structure.S32, 8: structure.S64},
}
"""Layouts of the numeric types with two possible sizes, by size in bytes."""

Look = Callable[[bytes, int, int], bool]
"""Function that returns True if the payload between two offsets is valid. The caller has checked its
length.
"""


Plain = tuple[int, int, bool, Look | None]
"""A fast-path rule: minimum and maximum length including the header, whether the payload must end in a NUL,
and a check of the payload or None.
"""

NEVER: Final[Plain] = (1, 0, False, None)


def plain(policy: AttributePolicy) -> Plain | None:
    """Return the rule that recognizes valid attributes at any strictness, or None if the policy is too
    complex.
    """
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
        return _long(0, 0)
    if kind is NlaType.STRING:
        return _long(1, policy.length or NLA_MAX_PAYLOAD)
    if kind is NlaType.NUL_STRING:
        return _long(1, policy.length + 1 if policy.length else NLA_MAX_PAYLOAD, terminated=True)
    return None


def _long(least: int, most: int, *, terminated: bool = False, look: Look | None = None) -> Plain:
    """Return a rule that accepts payloads of `least` to `most` bytes."""
    return NLA_HDRLEN + least, NLA_HDRLEN + most, terminated, look


def _number(policy: AttributePolicy, layout: Struct) -> Plain | None:
    if policy.length > layout.size:
        return None
    return _long(layout.size, layout.size, look=_value(policy, layout))


def _value(policy: AttributePolicy, layout: Struct) -> Look | None:
    """Return a check that the number is within the policy, or None if the policy accepts every number."""
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


def _wide(policy: AttributePolicy) -> Plain | None:
    sizes = WIDE[policy.type]
    if policy.length > min(sizes):
        return None
    looks = {size: _value(policy, layout) for size, layout in sizes.items()}

    def look(data: bytes, first: int, last: int) -> bool:
        size = last - first
        if size not in looks:
            return False
        further = looks[size]
        return further is None or further(data, first, last)

    return _long(min(sizes), max(sizes), look=look)


def _binary(policy: AttributePolicy) -> Plain:
    least, most = 0, policy.length or NLA_MAX_PAYLOAD
    if policy.validation is not Validation.NONE:
        low, high = value_range(policy)
        least, most = max(least, low), min(most, high)
    return _long(least, most)
