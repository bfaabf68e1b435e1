"""Encoding of attribute policies as attributes, for programs (net/netlink/policy.c)."""

from __future__ import annotations

from typing import Final

from simkernel.kernel.netlink.writer import BufferFull, MessageWriter
from simkernel.uapi import netlink as nl
from simkernel.ynl.policy import AttributePolicy, NlaType, PolicyTable, Validation, value_range

U16_MAX: Final = 0xFFFF

ATTRIBUTE_TYPES: Final[dict[NlaType, int]] = {
    NlaType.FLAG: nl.NL_ATTR_TYPE_FLAG,
    NlaType.U8: nl.NL_ATTR_TYPE_U8,
    NlaType.U16: nl.NL_ATTR_TYPE_U16,
    NlaType.U32: nl.NL_ATTR_TYPE_U32,
    NlaType.U64: nl.NL_ATTR_TYPE_U64,
    NlaType.UINT: nl.NL_ATTR_TYPE_UINT,
    NlaType.MSECS: nl.NL_ATTR_TYPE_UINT,
    NlaType.S8: nl.NL_ATTR_TYPE_S8,
    NlaType.S16: nl.NL_ATTR_TYPE_S16,
    NlaType.S32: nl.NL_ATTR_TYPE_S32,
    NlaType.S64: nl.NL_ATTR_TYPE_S64,
    NlaType.SINT: nl.NL_ATTR_TYPE_SINT,
    NlaType.BINARY: nl.NL_ATTR_TYPE_BINARY,
    NlaType.STRING: nl.NL_ATTR_TYPE_STRING,
    NlaType.NUL_STRING: nl.NL_ATTR_TYPE_NUL_STRING,
    NlaType.NESTED: nl.NL_ATTR_TYPE_NESTED,
    NlaType.NESTED_ARRAY: nl.NL_ATTR_TYPE_NESTED_ARRAY,
    NlaType.BITFIELD32: nl.NL_ATTR_TYPE_BITFIELD32,
}
"""NL_ATTR_TYPE_* value by policy type. Policies of other types, such as NLA_UNSPEC, are not dumped."""

UNSIGNED: Final = frozenset({NlaType.U8, NlaType.U16, NlaType.U32, NlaType.U64, NlaType.UINT, NlaType.MSECS})
SIGNED: Final = frozenset({NlaType.S8, NlaType.S16, NlaType.S32, NlaType.S64, NlaType.SINT})
SIZED: Final = frozenset({NlaType.BINARY, NlaType.STRING, NlaType.NUL_STRING})
NESTS: Final = frozenset({NlaType.NESTED, NlaType.NESTED_ARRAY})

_U32_SIZE: Final = 8
_U64_SIZE: Final = 12
_COMMON: Final = 2 * _U32_SIZE
"""Number of bytes to reserve in every encoded policy for the header of the nest and the type attribute
together.
"""


def size_estimate(policy: AttributePolicy) -> int:
    """Return the number of bytes to reserve for one encoded policy
    (`netlink_policy_dump_attr_size_estimate()`).
    """
    kind = policy.type
    if kind in UNSIGNED or kind in SIGNED:
        return _COMMON + 2 * (4 + _U64_SIZE)
    if kind in SIZED or kind in NESTS:
        return _COMMON + 2 * _U32_SIZE
    if kind is NlaType.BITFIELD32:
        return _COMMON + _U32_SIZE
    return _COMMON if kind is NlaType.FLAG else 0


def write_attribute(
    writer: MessageWriter, type: int, policy: AttributePolicy, dump: PolicyDump | None = None
) -> bool:
    """Write one policy as an attribute with the type number `type` (`__netlink_policy_dump_write_attr()`).

    Return False, and write nothing, if policies of its type are not dumped. A nested policy is written as
    its index in `dump`.
    """
    attribute_type = ATTRIBUTE_TYPES.get(policy.type)
    if attribute_type is None:
        return False
    place = writer.nest(type)
    if policy.type in NESTS:
        _write_nest(writer, policy, dump)
    elif policy.type in UNSIGNED:
        _write_unsigned(writer, policy)
    elif policy.type in SIGNED:
        low, high = value_range(policy)
        writer.put_u64(nl.NL_POLICY_TYPE_ATTR_MIN_VALUE_S, low)
        writer.put_u64(nl.NL_POLICY_TYPE_ATTR_MAX_VALUE_S, high)
    elif policy.type in SIZED:
        _write_lengths(writer, policy)
    elif policy.type is NlaType.BITFIELD32:
        writer.put_u32(nl.NL_POLICY_TYPE_ATTR_BITFIELD32_MASK, policy.mask)
    writer.put_u32(nl.NL_POLICY_TYPE_ATTR_TYPE, attribute_type)
    writer.end_nest(place)
    return True


def _write_nest(writer: MessageWriter, policy: AttributePolicy, dump: PolicyDump | None) -> None:
    if dump is not None and policy.nested is not None and policy.nested.maxattr > 0:
        writer.put_u32(nl.NL_POLICY_TYPE_ATTR_POLICY_IDX, dump.index(policy.nested))
        writer.put_u32(nl.NL_POLICY_TYPE_ATTR_POLICY_MAXTYPE, policy.nested.maxattr)


def _write_unsigned(writer: MessageWriter, policy: AttributePolicy) -> None:
    if policy.validation is Validation.MASK:
        writer.put_u64(nl.NL_POLICY_TYPE_ATTR_MASK, policy.mask)
        return
    low, high = value_range(policy)
    writer.put_u64(nl.NL_POLICY_TYPE_ATTR_MIN_VALUE_U, low)
    writer.put_u64(nl.NL_POLICY_TYPE_ATTR_MAX_VALUE_U, high)


def _write_lengths(writer: MessageWriter, policy: AttributePolicy) -> None:
    if policy.validation in (Validation.RANGE, Validation.RANGE_WARN_TOO_LONG):
        if policy.minimum:
            writer.put_u32(nl.NL_POLICY_TYPE_ATTR_MIN_LENGTH, policy.minimum)
        if policy.maximum < U16_MAX:
            writer.put_u32(nl.NL_POLICY_TYPE_ATTR_MAX_LENGTH, policy.maximum)
    elif policy.length:
        writer.put_u32(nl.NL_POLICY_TYPE_ATTR_MAX_LENGTH, policy.length)


class PolicyDump:
    """State of a dump of policies: the tables with their indexes, and the position of the next policy
    (`struct netlink_policy_dump_state`).
    """

    __slots__ = ("_attribute", "_table", "_tables")

    def __init__(self) -> None:
        self._tables: list[PolicyTable] = []
        self._table = 0
        self._attribute = 0

    def add(self, table: PolicyTable) -> None:
        """Assign an index to a table and to all tables nested in it (`netlink_policy_dump_add_policy()`)."""
        self._number(table)
        done = 0
        while done < len(self._tables):
            for policy in self._tables[done].attributes:
                if policy.type in NESTS and policy.nested is not None:
                    self._number(policy.nested)
            done += 1

    def _number(self, table: PolicyTable) -> None:
        if table.maxattr > 0 and not any(table is each for each in self._tables):
            self._tables.append(table)

    def __bool__(self) -> bool:
        return bool(self._tables)

    def index(self, table: PolicyTable) -> int:
        """Return the index that `add` assigned to a policy table (`netlink_policy_dump_get_policy_idx()`)."""
        return next(index for index, each in enumerate(self._tables) if each is table)

    @property
    def finished(self) -> bool:
        """True if every attribute of every table has been written."""
        return self._table >= len(self._tables)

    def write(self, writer: MessageWriter) -> None:
        """Write the policy of the next attribute, and skip attributes whose policy type cannot be dumped
        (`netlink_policy_dump_write()`).

        Raise BufferFull if it does not fit, and also if no policy remains: the caller sends no message in
        both cases.
        """
        while not self.finished:
            table, type = self._tables[self._table], self._attribute
            place = writer.nest(self._table)
            written = write_attribute(writer, type, table.attributes[type], self)
            self._advance(table)
            if written:
                writer.end_nest(place)
                return
            writer.cut(place)
        raise BufferFull

    def _advance(self, table: PolicyTable) -> None:
        self._attribute += 1
        if self._attribute > table.maxattr:
            self._attribute = 0
            self._table += 1
