"""Registration of the host's generic netlink families in a simulated machine.

nlctrl describes all families, so both kernels must have equal families. simkernel does not model the
operations of mirrored families: a message for such a family raises an error.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from itertools import count
from typing import Any, NoReturn

import attrs

from simkernel.engine import NotModelled
from simkernel.kernel.kernel import Kernel
from simkernel.kernel.netlink.genetlink.ctrl import describe
from simkernel.kernel.netlink.genetlink.family import Command, Family, Group, Operation
from simkernel.uapi import genetlink as genl
from simkernel.uapi.capability import CAP_NET_ADMIN
from simkernel.uapi.netlink import NETLINK_ADD_MEMBERSHIP, NETLINK_GENERIC, NLM_F_DUMP, NLM_F_REQUEST
from simkernel.uapi.socket import AF_NETLINK, SOCK_RAW, SOL_NETLINK
from simkernel.uapi.structure import U16, U32
from simkernel.ynl.policy import REJECT_ALL
from tests.conformance import wire


@attrs.frozen
class Description:
    """nlctrl's description of a family."""

    name: str
    id: int
    version: int
    header_size: int
    maxattr: int
    operations: tuple[tuple[int, int], ...]
    groups: tuple[tuple[str, int], ...]


ONLY_LISTED = NotModelled(
    "the operations and policies of a generic netlink family that simkernel lists but does not implement"
)


class MirroredOperations(dict[int, Operation]):
    """Operations of a mirrored family: a generic netlink family of the host that simkernel lists but does not
    model. A request for any operation raises an error.
    """

    def get(self, command: int, default: Any = None) -> NoReturn:
        """Raise an error for any command."""
        raise ONLY_LISTED


class MirroredOwner:
    """Module that owns a mirrored family (listed but not modelled). nlctrl calls `try_get` before it dumps
    the family's policies. `try_get` raises an error, because simkernel does not know the policies.
    """

    name = "mirrored"

    def try_get(self) -> NoReturn:
        """Raise an error, because the family's policies are unknown."""
        raise ONLY_LISTED

    def put(self) -> None:
        """Release a reference. No caller can have one, because `try_get` always raises an error."""


@attrs.frozen
class Mirror:
    """The host's generic netlink families.

    `visible` are the ids of those that an example's namespace sees. `closed` are the groups that need
    privilege.
    """

    families: tuple[Description, ...]
    visible: frozenset[int]
    closed: frozenset[int]

    def install(self, kernel: Kernel) -> None:
        """Register the host's families that the simulated kernel lacks, with the host's ids."""
        registry = kernel.genetlink.registry
        for family in self.families:
            if family.id not in registry.by_id:
                mirrored = self._mirrored(family)
                mirrored.description = describe(mirrored)
                mirrored.doit = mirrored.dumpit = MirroredOperations()
                registry.by_id[family.id] = registry.by_name[family.name.encode()] = mirrored
        kernel.netlink.entries[NETLINK_GENERIC].groups = registry.group_count

    def _mirrored(self, family: Description) -> Family:
        return Family(
            name=family.name,
            commands=tuple(_command(number, flags) for number, flags in family.operations),
            groups=tuple(
                Group(name, (CAP_NET_ADMIN,) if number in self.closed else ())
                for name, number in family.groups
            ),
            version=family.version,
            header_size=family.header_size,
            maxattr=family.maxattr,
            resv_start_op=256,
            netnsok=family.id in self.visible,
            id=family.id,
            first_group=family.groups[0][1] if family.groups else 0,
            split=False,
            owner=MirroredOwner(),
        )


def _command(number: int, flags: int) -> Command:
    policy = REJECT_ALL if flags & genl.GENL_CMD_CAP_HASPOL else None
    permission = flags & (genl.GENL_ADMIN_PERM | genl.GENL_UNS_ADMIN_PERM)

    def operation(kind: int) -> Operation | None:
        return Operation(number, "", permission | kind, policy) if flags & kind else None

    return Command(number, operation(genl.GENL_CMD_CAP_DO), operation(genl.GENL_CMD_CAP_DUMP))


def families() -> Iterator[Description]:
    """Yield every family that nlctrl shows to this process."""
    with socket.socket(AF_NETLINK, SOCK_RAW, NETLINK_GENERIC) as sock:
        sock.send(wire.ctrl(flags=NLM_F_REQUEST | NLM_F_DUMP))
        while True:
            for header, payload in wire.messages(sock.recv(1 << 17)):
                if header[1] != genl.GENL_ID_CTRL:
                    return
                yield _description(dict(wire.attrs(payload[genl.GENL_HDRLEN :])))


def _description(found: dict[int, bytes]) -> Description:
    return Description(
        found[genl.CTRL_ATTR_FAMILY_NAME].rstrip(b"\0").decode(),
        U16.unpack(found[genl.CTRL_ATTR_FAMILY_ID])[0],
        U32.unpack(found[genl.CTRL_ATTR_VERSION])[0],
        U32.unpack(found[genl.CTRL_ATTR_HDRSIZE])[0],
        U32.unpack(found[genl.CTRL_ATTR_MAXATTR])[0],
        tuple(
            (U32.unpack(each[genl.CTRL_ATTR_OP_ID])[0], U32.unpack(each[genl.CTRL_ATTR_OP_FLAGS])[0])
            for each in _entries(found.get(genl.CTRL_ATTR_OPS, b""))
        ),
        tuple(
            (
                each[genl.CTRL_ATTR_MCAST_GRP_NAME].rstrip(b"\0").decode(),
                U32.unpack(each[genl.CTRL_ATTR_MCAST_GRP_ID])[0],
            )
            for each in _entries(found.get(genl.CTRL_ATTR_MCAST_GROUPS, b""))
        ),
    )


def _entries(nest: bytes) -> Iterator[dict[int, bytes]]:
    for _, entry in wire.attrs(nest):
        yield dict(wire.attrs(entry))


def closed_groups() -> Iterator[int]:
    """Yield the groups of NETLINK_GENERIC that this unprivileged process cannot join."""
    with socket.socket(AF_NETLINK, SOCK_RAW, NETLINK_GENERIC) as sock:
        for group in count(1):
            try:
                sock.setsockopt(SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, group)
            except PermissionError:
                yield group
            except OSError:
                return
