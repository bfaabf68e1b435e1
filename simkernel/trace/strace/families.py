"""Names in generic netlink messages: commands and attributes of nlctrl, and attributes of the extended
ACK.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import attrs

from simkernel.trace.strace.attributes import AttributeSet, Value, nest, scalar, string
from simkernel.trace.strace.constants import Names, hexadecimal, names, number, one_of, pick, set_of
from simkernel.uapi import genetlink, netlink
from simkernel.uapi.structure import U16, U32, U64, Buffer


@attrs.frozen
class Family:
    """The names of a generic netlink family, its commands and its attributes, as far as they are known."""

    name: str = ""
    commands: Names = attrs.field(factory=dict)
    attributes: Mapping[int, AttributeSet] = attrs.field(factory=dict)
    """Attribute set of each command, by the number of the command."""
    unknown: str = ""

    def command(self, value: int) -> str:
        """Return the name of a command of this family."""
        return number(value, self.commands, self.unknown) if self.unknown else hexadecimal(value)


_KINDS: Final = {
    "hex16": scalar(U16, hexadecimal),
    "hex32": scalar(U32, hexadecimal),
    "string": string,
    "type": scalar(U32, one_of(netlink, "NL_ATTR_TYPE_")),
    "u32": scalar(U32),
    "u64": scalar(U64),
}


def _known(prefix: str, known: Names, kinds: str = "", **values: Value) -> AttributeSet:
    """Return an attribute set. `kinds` is a list of NAME:KIND for the scalar attributes. `values` maps the
    name of any other attribute to its printer.
    """
    numbers = {name.removeprefix(prefix): value for value, name in known.items()}
    pairs = (each.split(":") for each in kinds.split())
    scalars = {numbers[name]: _KINDS[kind] for name, kind in pairs}
    others = {numbers[name]: value for name, value in values.items()}
    return AttributeSet(known, scalars | others, prefix.rstrip("_"))


def _array(of: AttributeSet) -> AttributeSet:
    return AttributeSet(every=nest(of))


EXTENDED_ACK: Final = _known("NLMSGERR_ATTR_", names(netlink, "NLMSGERR_ATTR_"), "MSG:string OFFS:u32")
_POLICY_OF_ATTRIBUTE: Final = _known(
    "NL_POLICY_TYPE_ATTR_",
    names(netlink, "NL_POLICY_TYPE_ATTR_"),
    "TYPE:type MIN_VALUE_U:u64 MAX_VALUE_U:u64 MIN_LENGTH:u32 MAX_LENGTH:u32 POLICY_IDX:u32 "
    "POLICY_MAXTYPE:u32",
)
_COMMANDS: Final = names(genetlink, "CTRL_CMD_", "CTRL_CMD_MAX")
_CAPABILITIES: Final = pick(
    genetlink, "GENL_", "ADMIN_PERM CMD_CAP_DO CMD_CAP_DUMP CMD_CAP_HASPOL UNS_ADMIN_PERM"
)
_GROUP: Final = _known(
    "CTRL_ATTR_MCAST_GRP_", names(genetlink, "CTRL_ATTR_MCAST_GRP_"), "NAME:string ID:hex32"
)
_OPERATION_POLICY: Final = _known(
    "CTRL_ATTR_POLICY_", names(genetlink, "CTRL_ATTR_POLICY_"), "DO:u32 DUMP:u32"
)
_ATTRIBUTES: Final = pick(
    genetlink,
    "CTRL_ATTR_",
    "UNSPEC FAMILY_ID FAMILY_NAME VERSION HDRSIZE MAXATTR OPS MCAST_GROUPS POLICY OP_POLICY OP",
)


def nlctrl(of: Family) -> Family:
    """Return the formatter of nlctrl's messages about one generic netlink family, the argument `of`. The
    formatter prints this family's commands by name.
    """
    operation = _known(
        "CTRL_ATTR_OP_",
        names(genetlink, "CTRL_ATTR_OP_"),
        ID=scalar(U32, of.command),
        FLAGS=scalar(U32, set_of(_CAPABILITIES)),
    )
    control = _known(
        "CTRL_ATTR_",
        _ATTRIBUTES,
        "FAMILY_ID:hex16 FAMILY_NAME:string VERSION:u32 HDRSIZE:u32 MAXATTR:u32 OP:u32",
        OPS=nest(_array(operation)),
        MCAST_GROUPS=nest(_array(_GROUP)),
        POLICY=nest(_array(_array(_POLICY_OF_ATTRIBUTE))),
        OP_POLICY=nest(_array(_OPERATION_POLICY)),
    )
    return Family("nlctrl", _COMMANDS, dict.fromkeys(range(256), control), "CTRL_CMD")


NLCTRL: Final = nlctrl(Family("nlctrl", _COMMANDS, unknown="CTRL_CMD"))


def identity(payload: Buffer) -> tuple[int | None, str | None]:
    """Return the id and the name of the family that a message of nlctrl describes, or None if they are
    missing.
    """
    found = netlink.locate_attributes(payload, genetlink.GENL_HDRLEN)[0]
    values = {kind: bytes(payload[begin:end]) for kind, begin, end in found}
    number, name = values.get(genetlink.CTRL_ATTR_FAMILY_ID), values.get(genetlink.CTRL_ATTR_FAMILY_NAME)
    return (
        U16.unpack(number)[0] if number is not None and len(number) == U16.size else None,
        name.partition(b"\0")[0].decode("ascii", "replace") if name is not None else None,
    )
