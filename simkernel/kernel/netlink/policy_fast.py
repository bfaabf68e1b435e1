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
"""Layout of the payload for each numeric attribute type whose payload has exactly one size."""
WIDE: Final[dict[NlaType, dict[int, Struct]]] = {
    NlaType.UINT: {4: structure.U32, 8: structure.U64},
    NlaType.SINT: {4: structure.S32, 8: structure.S64},
}
"""Layouts of the payload for each numeric attribute type whose payload can have two sizes. The inner key is
the size in bytes.
"""

PayloadCheck = Callable[[bytes, int, int], bool]
"""Function that returns True if the payload between two offsets is valid. The caller has checked its
length.
"""


FastRule = tuple[int, int, bool, PayloadCheck | None]
"""A rule of the fast path: minimum length, maximum length, whether the payload must end in a NUL, and a check
of the payload. Lengths include the header.
"""

NO_RULE: Final[FastRule] = (1, 0, False, None)


def fast_rule(policy: AttributePolicy) -> FastRule | None:
    """Return the fast-path rule of an attribute policy, or None if the policy is too complex for a rule. An
    attribute that the rule accepts also passes the strictest validation.
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
        return _length_rule(0, 0)
    if kind is NlaType.STRING:
        return _length_rule(1, policy.length or NLA_MAX_PAYLOAD)
    if kind is NlaType.NUL_STRING:
        return _length_rule(1, policy.length + 1 if policy.length else NLA_MAX_PAYLOAD, terminated=True)
    return None


def _length_rule(
    minimum: int, maximum: int, *, terminated: bool = False, check: PayloadCheck | None = None
) -> FastRule:
    """Return a rule that accepts payloads of `minimum` to `maximum` bytes."""
    return NLA_HDRLEN + minimum, NLA_HDRLEN + maximum, terminated, check


def _number(policy: AttributePolicy, layout: Struct) -> FastRule | None:
    if policy.length > layout.size:
        return None
    return _length_rule(layout.size, layout.size, check=_value(policy, layout))


def _value(policy: AttributePolicy, layout: Struct) -> PayloadCheck | None:
    """Return a function that checks a number against the policy, or None if the policy accepts every
    number.
    """
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


def _wide(policy: AttributePolicy) -> FastRule | None:
    sizes = WIDE[policy.type]
    if policy.length > min(sizes):
        return None
    checks = {size: _value(policy, layout) for size, layout in sizes.items()}

    def check(data: bytes, first: int, last: int) -> bool:
        size = last - first
        if size not in checks:
            return False
        further = checks[size]
        return further is None or further(data, first, last)

    return _length_rule(min(sizes), max(sizes), check=check)


def _binary(policy: AttributePolicy) -> FastRule:
    minimum, maximum = 0, policy.length or NLA_MAX_PAYLOAD
    if policy.validation is not Validation.NONE:
        low, high = value_range(policy)
        minimum, maximum = max(minimum, low), min(maximum, high)
    return _length_rule(minimum, maximum)
