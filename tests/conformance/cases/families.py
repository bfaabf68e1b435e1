"""nlctrl in User-mode Linux: families of modules that are loaded and unloaded, and their groups."""

from __future__ import annotations

import struct

from simkernel.uapi.genetlink import CTRL_ATTR_FAMILY_ID, CTRL_ATTR_MCAST_GROUPS
from simkernel.uapi.socket import MSG_DONTWAIT
from tests.conformance import wire
from tests.conformance.case import case, netlink
from tests.conformance.cases.modules import MODULES, UML, shown
from tests.conformance.log import Log
from tests.conformance.wire import (
    ACK,
    ADD_MEMBERSHIP,
    DUMP,
    GENERIC,
    REQUEST,
    SOL_NETLINK,
    by_name,
    ctrl,
    nlmsg,
)
from tests.conformance.world import Socket, World

A, B = 0x53000001, 0x53000002
NOTIFY = wire.GENL_ID_CTRL
"""Group number of `notify`, the multicast group of nlctrl."""
TEAM = by_name(b"team\0")


def masked(payload: bytes) -> bytes:
    """Return a message of nlctrl with 0 in place of the numbers that the kernel assigns."""
    return payload[:4] + b"".join(
        wire.attr(type, _masked(type, value)) for type, value in wire.attrs(payload[4:])
    )


def _masked(type: int, value: bytes) -> bytes:
    if type == CTRL_ATTR_FAMILY_ID:
        return bytes(len(value))
    if type == CTRL_ATTR_MCAST_GROUPS:
        return b"".join(
            wire.attr(each, b"".join(wire.attr(t, bytes(4) if t == 2 else v) for t, v in wire.attrs(group)))
            for each, group in wire.attrs(value)
        )
    return value


def received(log: Log, label: str, sock: Socket) -> None:
    """Record each queued message: its header, and the payload with assigned numbers set to 0."""
    lines: list[str] = []
    while True:
        try:
            data = sock.recv(65536, MSG_DONTWAIT)
        except BlockingIOError:
            break
        for (_, type, flags, seq, pid), payload in wire.messages(data):
            # The first 4 bytes of an acknowledgement are its errno.
            payload = masked(payload) if type == wire.GENL_ID_CTRL else payload[:4]
            lines += log.messages(nlmsg(type, flags, payload, seq=seq, pid=pid))
    log(label, lines)


def question(log: Log, label: str, sock: Socket, request: bytes) -> None:
    log.call(label, sock.sendto, request, (0, 0))
    received(log, f"{label} ->", sock)


def numbers(sock: Socket) -> tuple[int, int]:
    """Return the family id and the group id of `team`."""
    sock.sendto(ctrl(attrs=TEAM), (0, 0))
    ((_, payload),) = wire.messages(sock.recv(65536))
    found = dict(wire.attrs(payload[4:]))
    ((_, group),) = wire.attrs(found[CTRL_ATTR_MCAST_GROUPS])
    return struct.unpack("<H", found[CTRL_ATTR_FAMILY_ID])[0], struct.unpack(
        "<I", dict(wire.attrs(group))[2]
    )[0]


@case(privileged=True, marks=MODULES, oracle=UML)
def news(world: World, log: Log) -> None:
    """nlctrl sends NEWFAMILY and NEWMCAST_GRP when a family is registered, and DELFAMILY when it is
    unregistered.
    """
    listener = netlink(world, GENERIC, bind=(B, 0))
    listener.setsockopt(SOL_NETLINK, ADD_MEMBERSHIP, NOTIFY)
    world.insmod("team")
    received(log, "registered", listener)
    world.rmmod("team")
    received(log, "unregistered", listener)


@case(privileged=True, marks=(*MODULES, "namespaces"), oracle=UML)
def news_in_another_namespace(world: World, log: Log) -> None:
    """If a family with `netnsok` is registered, nlctrl sends notifications in every network namespace."""
    listener = netlink(world.namespace(), GENERIC, bind=(B, 0))
    listener.setsockopt(SOL_NETLINK, ADD_MEMBERSHIP, NOTIFY)
    world.insmod("team")
    received(log, "registered", listener)
    world.rmmod("team")
    received(log, "unregistered", listener)


@case(privileged=True, marks=MODULES, oracle=UML)
def by_its_name(world: World, log: Log) -> None:
    """CTRL_CMD_GETFAMILY by name does not load the module `team`, because the module has no alias for this
    name. The family id is valid until rmmod.
    """
    sock = netlink(world, GENERIC, bind=(A, 0))
    log("before", shown(world))
    question(log, "not loaded", sock, ctrl(attrs=TEAM))
    world.insmod("team")
    question(log, "loaded", sock, ctrl(attrs=TEAM))
    family, _ = numbers(sock)
    question(log, "by id", sock, ctrl(attrs=wire.by_id(family)))
    log.call("rmmod", world.rmmod, "team")
    question(log, "by id, gone", sock, ctrl(attrs=wire.by_id(family)))
    question(log, "message to it", sock, nlmsg(family, REQUEST | ACK, wire.genl(0)))
    log("gone", shown(world))


@case(privileged=True, marks=MODULES, oracle=UML)
def commands(world: World, log: Log) -> None:
    """Requests for an unknown command or an unsupported dump fail before the module is called."""
    world.insmod("team")
    sock = netlink(world, GENERIC, bind=(A, 0))
    family, _ = numbers(sock)
    for label, flags, command in (("none", 0, 9), ("dump", DUMP, 1), ("dump of none", DUMP, 9)):
        request = nlmsg(family, REQUEST | ACK | flags, wire.genl(command))
        log.call(label, sock.sendto, request, (0, 0))
        lines = [[header[1], header[2], payload[:4]] for header, payload in wire.messages(sock.recv(65536))]
        log(f"{label} ->", lines)


@case(privileged=True, marks=MODULES, oracle=UML)
def groups_go_with_their_family(world: World, log: Log) -> None:
    """If a family is unregistered, its multicast group loses all members. If the group of another
    family later gets the same number, it has none of these members.
    """
    world.insmod("team")
    sock = netlink(world, GENERIC, bind=(A, 0))
    _, group = numbers(sock)
    log.call("join", sock.setsockopt, SOL_NETLINK, ADD_MEMBERSHIP, group)
    joined = sock.getsockopt(SOL_NETLINK, wire.LIST_MEMBERSHIPS, 64)
    log("joined", joined.count(b"\0") != len(joined))
    world.rmmod("team")
    left = sock.getsockopt(SOL_NETLINK, wire.LIST_MEMBERSHIPS, 64)
    log("still joined", left.count(b"\0") != len(left))
    log.call("leave", sock.setsockopt, SOL_NETLINK, wire.DROP_MEMBERSHIP, group)
    log.call("join", sock.setsockopt, SOL_NETLINK, ADD_MEMBERSHIP, group)


@case(privileged=True, marks=MODULES, oracle=UML)
def references(world: World, log: Log) -> None:
    """The module of a family can be unloaded while sockets are open and are members of the family's group,
    because they hold no module reference.
    """
    world.insmod("team")
    sock = netlink(world, GENERIC, bind=(A, 0))
    _, group = numbers(sock)
    sock.setsockopt(SOL_NETLINK, ADD_MEMBERSHIP, group)
    log("member", shown(world))
    log.call("rmmod", world.rmmod, "team")
