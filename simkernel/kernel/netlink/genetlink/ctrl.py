"""nlctrl, the generic netlink family that describes all families (the controller in genetlink.c)."""

from __future__ import annotations

from collections.abc import Awaitable
from functools import lru_cache
from typing import Any, Final

from simkernel.kernel.net.truesize import GOODSIZE
from simkernel.kernel.netlink.genetlink import policies
from simkernel.kernel.netlink.genetlink.declare import declare, own_spec
from simkernel.kernel.netlink.genetlink.family import Command, Dumper, Family, Group, Info
from simkernel.kernel.netlink.genetlink.lock import OperationLock
from simkernel.kernel.netlink.genetlink.registry import Registry
from simkernel.kernel.netlink.netlink import RequestModule
from simkernel.kernel.netlink.writer import MessageWriter
from simkernel.uapi import genetlink as genl
from simkernel.uapi.errno import EINVAL, EMSGSIZE, ENOENT, os_error
from simkernel.uapi.genetlink import CTRL_ATTR_FAMILY_NAME, CTRL_CMD_NEWFAMILY
from simkernel.uapi.netlink import NETLINK_GENERIC, NLM_F_MULTI, NLMSG_HDRLEN
from simkernel.uapi.socket import AF_NETLINK
from simkernel.uapi.structure import U16

MAX_REPLY_SIZE: Final = GOODSIZE - NLMSG_HDRLEN - genl.GENL_HDRLEN
"""Maximum size of the attributes in an answer of nlctrl, in bytes."""


class Controller:
    """Handles requests to nlctrl. The answers describe the families in the registry.

    `request_module` loads the module of an unknown family. `lock` is released while it loads.
    """

    def __init__(self, registry: Registry, lock: OperationLock, request_module: RequestModule) -> None:
        self._registry = registry
        self._by_name = registry.by_name
        self._lock = lock
        self._request_module = request_module
        self.family = declare(
            own_spec("nlctrl"),
            {"getfamily": self._get_family},
            {
                "getfamily": Dumper(self._dump_families),
                "getpolicy": Dumper(policies.step, self._begin_policies, policies.done),
            },
        )

    # -- GETFAMILY ------------------------------------------------------------

    def _get_family(self, info: Info, loaded: bool = False) -> Awaitable[None] | None:
        """Describe one family (`ctrl_getfamily()`). If the request has both id and name, the name is used.

        If no family has the name, its module is requested and the lookup repeated; `loaded` marks the
        second attempt. Raise EINVAL if the request has neither attribute, ENOENT if no such family exists.
        """
        found = info.found
        if CTRL_ATTR_FAMILY_NAME in found:
            first, last = found[CTRL_ATTR_FAMILY_NAME]
            # the last byte is usually the NUL of the name
            family = self._by_name.get(info.data[first : last - 1])
            if family is None:
                family = self._by_name.get(_name(info))
                if family is None and not loaded:
                    return self._load(info)
        elif genl.CTRL_ATTR_FAMILY_ID in found:
            family = self._registry.by_id.get(_id(info))
        else:
            raise os_error(EINVAL)
        if family is None or not (family.netnsok or info.net.initial):
            raise os_error(ENOENT)
        description = family.description
        if len(description) > MAX_REPLY_SIZE:
            raise os_error(EMSGSIZE)
        info.reply(CTRL_CMD_NEWFAMILY, description)
        return None

    def _load(self, info: Info) -> Awaitable[None] | None:
        name = _name(info).decode("utf-8", "surrogateescape")
        loading = self._request_module(f"net-pf-{AF_NETLINK}-proto-{NETLINK_GENERIC}-family-{name}")
        if isinstance(loading, Awaitable):
            return self._reply_later(info, loading)
        return self._get_family(info, loaded=True)

    async def _reply_later(self, info: Info, loading: Awaitable[Any]) -> None:
        await self._lock.released_during(loading)
        self._get_family(info, loaded=True)

    def _dump_families(self, writer: MessageWriter, info: Info) -> bool:
        """Describe all families that exist in the sender's namespace (`ctrl_dumpfamily()`)."""
        initial = info.net.initial
        visible = [family for family in self._registry if family.netnsok or initial]
        position = info.state or 0
        for family in visible[position:]:
            writer.append(info.message(genl.CTRL_CMD_NEWFAMILY, family.description, flags=NLM_F_MULTI))
            position += 1
            info.state = position
        return False

    # -- GETPOLICY ------------------------------------------------------------

    def _begin_policies(self, info: Info) -> None:
        """Begin a dump of a family's policies (`ctrl_dumppolicy_start()`). If the request contains both id
        and name, the id is used.
        """
        if genl.CTRL_ATTR_FAMILY_ID in info.found:
            family = self._registry.by_id.get(_id(info))
        elif genl.CTRL_ATTR_FAMILY_NAME in info.found:
            family = self._registry.by_name.get(_name(info))
        else:
            raise os_error(EINVAL)
        if family is None:
            raise os_error(ENOENT)
        policies.begin(info, family)


def _name(info: Info) -> bytes:
    """Return the value of CTRL_ATTR_FAMILY_NAME up to its NUL."""
    first, last = info.found[genl.CTRL_ATTR_FAMILY_NAME]
    return info.data[first:last].partition(b"\0")[0]


def _id(info: Info) -> int:
    """Return the value of CTRL_ATTR_FAMILY_ID."""
    number: int = U16.unpack_from(info.data, info.found[genl.CTRL_ATTR_FAMILY_ID][0])[0]
    return number


def describe(family: Family) -> bytes:
    """Return nlctrl's description of a family, as attributes (`ctrl_fill_info()`)."""
    commands = tuple((command.number, _shown_flags(family, command)) for command in family.commands)
    fields = (family.name, family.id, family.version, family.header_size, family.maxattr)
    return _description(*fields, commands, family.groups, family.first_group)


def _shown_flags(family: Family, command: Command) -> int:
    has_policy = any(family.shown_policy(operation) for operation in command.operations)
    return command.flags | (genl.GENL_CMD_CAP_HASPOL if has_policy else 0)


@lru_cache(maxsize=256)
def _description(
    name: str,
    id: int,
    version: int,
    header_size: int,
    maxattr: int,
    commands: tuple[tuple[int, int], ...],
    groups: tuple[Group, ...],
    first_group: int,
) -> bytes:
    """Encode nlctrl's description of a family. Machines with the same families share the cached result."""
    writer = MessageWriter(1 << 16)
    writer.put_string(genl.CTRL_ATTR_FAMILY_NAME, name)
    writer.put_u16(genl.CTRL_ATTR_FAMILY_ID, id)
    writer.put_u32(genl.CTRL_ATTR_VERSION, version)
    writer.put_u32(genl.CTRL_ATTR_HDRSIZE, header_size)
    writer.put_u32(genl.CTRL_ATTR_MAXATTR, maxattr)
    if commands:
        listing = writer.nest_plain(genl.CTRL_ATTR_OPS)
        for index, (number, flags) in enumerate(commands, 1):
            entry = writer.nest_plain(index)
            writer.put_u32(genl.CTRL_ATTR_OP_ID, number)
            writer.put_u32(genl.CTRL_ATTR_OP_FLAGS, flags)
            writer.end_nest(entry)
        writer.end_nest(listing)
    if groups:
        listing = writer.nest_plain(genl.CTRL_ATTR_MCAST_GROUPS)
        for index, group in enumerate(groups):
            _describe_group(writer, index + 1, group, first_group + index)
        writer.end_nest(listing)
    return bytes(writer.data)


def describe_group(family: Family, index: int) -> bytes:
    """Return nlctrl's description of a group that is added or removed (`ctrl_fill_mcgrp_info()`)."""
    writer = MessageWriter(1 << 16)
    writer.put_string(genl.CTRL_ATTR_FAMILY_NAME, family.name)
    writer.put_u16(genl.CTRL_ATTR_FAMILY_ID, family.id)
    groups = writer.nest_plain(genl.CTRL_ATTR_MCAST_GROUPS)
    _describe_group(writer, 1, family.groups[index], family.first_group + index)
    writer.end_nest(groups)
    return bytes(writer.data)


def _describe_group(writer: MessageWriter, number: int, group: Group, id: int) -> None:
    entry = writer.nest_plain(number)
    writer.put_u32(genl.CTRL_ATTR_MCAST_GRP_ID, id)
    writer.put_string(genl.CTRL_ATTR_MCAST_GRP_NAME, group.name)
    writer.end_nest(entry)
