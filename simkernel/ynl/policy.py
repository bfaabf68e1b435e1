"""A kernel's attribute policies as plain data: `struct nla_policy` of include/net/netlink.h.

A kernel validates attributes with these tables and dumps them for CTRL_CMD_GETPOLICY;
`simkernel.ynl.tables` makes them from a specification.  Nothing here validates anything.
"""

from __future__ import annotations

import enum

import attrs

from simkernel.ynl.schema import SCALARS, type_range


class NlaType(enum.IntEnum):
    """What an attribute's payload is, as a policy says it: the NLA_* of include/net/netlink.h.

    These numbers never leave the kernel: GETPOLICY reports NL_ATTR_TYPE_* instead.
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
    """What is checked beyond the type: `enum nla_policy_validation`."""

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
    """The policies of one attribute space, indexed by attribute type 0..maxattr.

    Two tables are the same only if they are one object, as the kernel compares the addresses of
    policies when it numbers them for GETPOLICY.  A table may contain itself, by way of a nest.
    """

    name: str
    attributes: tuple[AttributePolicy, ...] = attrs.field(repr=False)
    strict_start_type: int = 0
    """Attributes from this type on are always validated strictly; 0: as the request says."""

    @property
    def maxattr(self) -> int:
        """The highest attribute type that has a place in the table."""
        return len(self.attributes) - 1


@attrs.frozen
class AttributePolicy:
    """What one attribute must be to be accepted: one `struct nla_policy`."""

    type: NlaType = NlaType.UNSPEC
    validation: Validation = Validation.NONE
    length: int = 0
    """`len`: the longest string or binary, the shortest payload of anything else; 0: not checked."""
    minimum: int = 0
    maximum: int = 0
    """Limits of the value, of the payload's length for BINARY; which count, `validation` says."""
    mask: int = 0
    """The bits that may be set: of MASK validation and of a BITFIELD32."""
    accepted: tuple[int, ...] = ()
    """The values that FUNCTION validation accepts: those of an enum with holes."""
    reject_message: str | None = None
    """What a REJECT says instead of the general text."""
    nested: PolicyTable | None = None
    """The policies inside a NESTED or inside each entry of a NESTED_ARRAY; None: not checked."""


_TYPE_RANGES = {NlaType[name.upper()]: type_range(name) for name in SCALARS} | {
    NlaType.BE16: type_range("u16"),
    NlaType.BE32: type_range("u32"),
    NlaType.MSECS: type_range("u64"),
    NlaType.BINARY: type_range("u16"),
}
_BOTH_LIMITS = frozenset({Validation.RANGE, Validation.RANGE_WARN_TOO_LONG, Validation.RANGE_PTR})


def value_range(policy: AttributePolicy) -> tuple[int, int]:
    """The least and the greatest value (of BINARY: length) that `policy` accepts.

    nla_get_range_unsigned() and nla_get_range_signed().  KeyError for a type that has no range.
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
"""What generic netlink gives an operation without a policy (genl_policy_reject_all)."""
