"""The kernel's policies for attributes as plain data: `struct nla_policy` of include/net/netlink.h.

The kernel validates attributes with these tables, and dumps the tables for CTRL_CMD_GETPOLICY.
`simkernel.ynl.tables` makes them from a specification.  This module does not validate anything.
"""

from __future__ import annotations

import enum

import attrs

from simkernel.ynl.schema import SCALARS, type_range


class NlaType(enum.IntEnum):
    """Types of payloads in a policy: NLA_* of include/net/netlink.h.

    These numbers are internal to the kernel: GETPOLICY reports NL_ATTR_TYPE_* instead.
    """

    UNSPEC = 0
    U8 = 1
    U16 = 2
    U32 = 3
    U64 = 4
    STRING = 5
    FLAG = 6
    MSECS = 7
    NESTED = 8
    NESTED_ARRAY = 9
    NUL_STRING = 10
    BINARY = 11
    S8 = 12
    S16 = 13
    S32 = 14
    S64 = 15
    BITFIELD32 = 16
    REJECT = 17
    BE16 = 18
    BE32 = 19
    SINT = 20
    UINT = 21


class Validation(enum.IntEnum):
    """Kinds of checks in addition to the check of the type: `enum nla_policy_validation`."""

    NONE = 0
    RANGE = 1
    RANGE_WARN_TOO_LONG = 2
    MIN = 3
    MAX = 4
    MASK = 5
    RANGE_PTR = 6
    FUNCTION = 7


@attrs.frozen(eq=False)
class PolicyTable:
    """The policies of one attribute set, indexed by attribute type from 0 to maxattr.

    Two tables are equal only if they are one object.  The kernel likewise compares the addresses of
    policies when it numbers them for GETPOLICY.  A table may contain itself through a nest.
    """

    name: str
    attributes: tuple[AttributePolicy, ...] = attrs.field(repr=False)
    strict_start_type: int = 0
    """If this is not 0, the kernel validates attributes of this type and of higher types strictly, even if it
    validates the other attributes liberally.
    """

    @property
    def maxattr(self) -> int:
        """The highest attribute type in the table."""
        return len(self.attributes) - 1


@attrs.frozen
class AttributePolicy:
    """The policy of one attribute: one `struct nla_policy`."""

    type: NlaType = NlaType.UNSPEC
    validation: Validation = Validation.NONE
    length: int = 0
    """The field `len`: the maximum length of a string or binary, the minimum length of other payloads; 0
    means unchecked.
    """
    minimum: int = 0
    maximum: int = 0
    """Limits of the value. For BINARY, they are limits of the payload's length. `validation` tells whether
    the kernel checks both limits, only one, or none.
    """
    mask: int = 0
    """The bits that a value may have. It is used if `validation` is MASK or the type is BITFIELD32."""
    accepted: tuple[int, ...] = ()
    """The numbers that are valid if `validation` is FUNCTION. The kernel uses FUNCTION for an enum with
    gaps.
    """
    reject_message: str | None = None
    """The error message of a REJECT policy, or None for the general message."""
    nested: PolicyTable | None = None
    """The policies for the attributes inside a NESTED, or inside each entry of a NESTED_ARRAY; None means
    unchecked.
    """


_TYPE_RANGES = {NlaType[name.upper()]: type_range(name) for name in SCALARS} | {
    NlaType.BE16: type_range("u16"),
    NlaType.BE32: type_range("u32"),
    NlaType.MSECS: type_range("u64"),
    NlaType.BINARY: type_range("u16"),
}
_BOTH_LIMITS = frozenset({Validation.RANGE, Validation.RANGE_WARN_TOO_LONG, Validation.RANGE_PTR})


def value_range(policy: AttributePolicy) -> tuple[int, int]:
    """Return the smallest and the largest value (for BINARY: length) that `policy` accepts.

    nla_get_range_unsigned() and nla_get_range_signed().  Raise KeyError for a type without a range.
    """
    low, high = _TYPE_RANGES[policy.type]
    if policy.validation in _BOTH_LIMITS:
        return policy.minimum, policy.maximum
    if policy.validation is Validation.MIN:
        return policy.minimum, high
    if policy.validation is Validation.MAX:
        return low, policy.maximum
    return low, high


REJECT_ALL = PolicyTable("reject-all", (AttributePolicy(NlaType.REJECT), AttributePolicy(NlaType.REJECT)))
"""A policy table that rejects every attribute (genl_policy_reject_all).  Generic netlink uses it for most
operations that have no policy.
"""
