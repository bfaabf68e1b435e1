"""What is known of families and their attributes: the extended ACK's, and nlctrl's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import attrs

from simkernel.trace.strace.attributes import AttributeSet, nest, scalar, string
from simkernel.trace.strace.constants import Names, flags, hexadecimal, names, number, pick
from simkernel.uapi import genetlink, netlink
from simkernel.uapi.structure import U16, U32, U64, Buffer


@attrs.frozen
class Family:
    """What is known of a generic netlink family."""

    name: str = ""
    commands: Names = attrs.field(factory=dict)
    attributes: Mapping[int, AttributeSet] = attrs.field(factory=dict)
    """The set that the attributes of a command come from."""
    unknown: str = ""

    def command(self, value: int) -> str:
        """A command's name."""
        return number(value, self.commands, self.unknown) if self.unknown else hexadecimal(value)


_ATTRIBUTE_TYPES: Final = names(netlink, "NL_ATTR_TYPE_")


def _attribute_type(value: int) -> str:
    return number(value, _ATTRIBUTE_TYPES, "NL_ATTR_TYPE")


EXTENDED_ACK: Final = AttributeSet(
    names(netlink, "NLMSGERR_ATTR_"),
    {netlink.NLMSGERR_ATTR_MSG: string, netlink.NLMSGERR_ATTR_OFFS: scalar(U32)},
    "NLMSGERR_ATTR",
)
_POLICY_OF_ATTRIBUTE: Final = AttributeSet(
    names(netlink, "NL_POLICY_TYPE_ATTR_"),
    {
        netlink.NL_POLICY_TYPE_ATTR_TYPE: scalar(U32, _attribute_type),
        netlink.NL_POLICY_TYPE_ATTR_MIN_VALUE_U: scalar(U64),
        netlink.NL_POLICY_TYPE_ATTR_MAX_VALUE_U: scalar(U64),
        netlink.NL_POLICY_TYPE_ATTR_MIN_LENGTH: scalar(U32),
        netlink.NL_POLICY_TYPE_ATTR_MAX_LENGTH: scalar(U32),
        netlink.NL_POLICY_TYPE_ATTR_POLICY_IDX: scalar(U32),
        netlink.NL_POLICY_TYPE_ATTR_POLICY_MAXTYPE: scalar(U32),
    },
    "NL_POLICY_TYPE_ATTR",
)

_COMMANDS: Final = names(genetlink, "CTRL_CMD_", "CTRL_CMD_MAX")
_CAPABILITIES: Final = pick(
    genetlink, "GENL_", "ADMIN_PERM CMD_CAP_DO CMD_CAP_DUMP CMD_CAP_HASPOL UNS_ADMIN_PERM"
)


def _array(of: AttributeSet) -> AttributeSet:
    return AttributeSet(every=nest(of))


_GROUP: Final = AttributeSet(
    names(genetlink, "CTRL_ATTR_MCAST_GRP_"),
    {genetlink.CTRL_ATTR_MCAST_GRP_NAME: string, genetlink.CTRL_ATTR_MCAST_GRP_ID: scalar(U32, hexadecimal)},
    "CTRL_ATTR_MCAST_GRP",
)
_OPERATION_POLICY: Final = AttributeSet(
    names(genetlink, "CTRL_ATTR_POLICY_"),
    {genetlink.CTRL_ATTR_POLICY_DO: scalar(U32), genetlink.CTRL_ATTR_POLICY_DUMP: scalar(U32)},
    "CTRL_ATTR_POLICY",
)
_CONTROL: Final = AttributeSet(
    pick(
        genetlink,
        "CTRL_ATTR_",
        "UNSPEC FAMILY_ID FAMILY_NAME VERSION HDRSIZE MAXATTR OPS MCAST_GROUPS POLICY OP_POLICY OP",
    ),
    {
        genetlink.CTRL_ATTR_FAMILY_ID: scalar(U16, hexadecimal),
        genetlink.CTRL_ATTR_FAMILY_NAME: string,
        genetlink.CTRL_ATTR_VERSION: scalar(U32),
        genetlink.CTRL_ATTR_HDRSIZE: scalar(U32),
        genetlink.CTRL_ATTR_MAXATTR: scalar(U32),
        genetlink.CTRL_ATTR_MCAST_GROUPS: nest(_array(_GROUP)),
        genetlink.CTRL_ATTR_POLICY: nest(_array(_array(_POLICY_OF_ATTRIBUTE))),
        genetlink.CTRL_ATTR_OP_POLICY: nest(_array(_OPERATION_POLICY)),
        genetlink.CTRL_ATTR_OP: scalar(U32),
    },
    "CTRL_ATTR",
)


def nlctrl(of: Family) -> Family:
    """nlctrl, as it tells of the operations of another family."""
    operation = AttributeSet(
        names(genetlink, "CTRL_ATTR_OP_"),
        {
            genetlink.CTRL_ATTR_OP_ID: scalar(U32, of.command),
            genetlink.CTRL_ATTR_OP_FLAGS: scalar(U32, lambda value: flags(value, _CAPABILITIES)),
        },
        "CTRL_ATTR_OP",
    )
    values = {**_CONTROL.values, genetlink.CTRL_ATTR_OPS: nest(_array(operation))}
    attributes = dict.fromkeys(range(256), attrs.evolve(_CONTROL, values=values))
    return Family("nlctrl", _COMMANDS, attributes, "CTRL_CMD")


NLCTRL: Final = nlctrl(Family("nlctrl", _COMMANDS, unknown="CTRL_CMD"))


def identity(payload: Buffer) -> tuple[int | None, str | None]:
    """The id and the name of the family that a message of nlctrl's tells of, as far as it tells them."""
    found = netlink.locate_attributes(payload, genetlink.GENL_HDRLEN)[0]
    values = {kind: bytes(payload[begin:end]) for kind, begin, end in found}
    number, name = values.get(genetlink.CTRL_ATTR_FAMILY_ID), values.get(genetlink.CTRL_ATTR_FAMILY_NAME)
    return (
        U16.unpack(number)[0] if number is not None and len(number) == U16.size else None,
        name.partition(b"\0")[0].decode("ascii", "replace") if name is not None else None,
    )
