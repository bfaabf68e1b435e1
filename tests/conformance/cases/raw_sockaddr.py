"""bind(2) and connect(2) with socket addresses that Python does not create."""

from __future__ import annotations

import struct

from simkernel.uapi.socket import AF_INET, AF_NETLINK, AF_UNSPEC
from tests.conformance import wire
from tests.conformance.case import case, netlink
from tests.conformance.log import Log
from tests.conformance.world import World

A, B = 0x47000001, 0x47000002


def sockaddr(family: int, portid: int = 0, groups: int = 0, pad: int = 0) -> bytes:
    return struct.pack("<HHII", family, pad, portid, groups)


@case(marks=("raw_sockaddr",))
def bind_family(world: World, log: Log) -> None:
    """bind() fails if the address family is not AF_NETLINK."""
    s = netlink(world, wire.USERSOCK)
    for family in (AF_UNSPEC, AF_INET, 17):
        log.call(f"family {family}", world.raw_call, s, "bind", sockaddr(family, A))
    log.name("name", s)


@case(marks=("raw_sockaddr",))
def bind_length(world: World, log: Log) -> None:
    """bind() fails if the address is shorter than 12 bytes. It accepts a longer one."""
    s = netlink(world, wire.USERSOCK)
    whole = sockaddr(AF_NETLINK, A)
    for size in (0, 1, 2, 8, 11):
        log.call(f"{size} bytes", world.raw_call, s, "bind", whole[:size])
    log.name("name", s)
    log.call("padded", world.raw_call, s, "bind", whole + bytes(20))
    log.name("name", s)


@case(marks=("raw_sockaddr",))
def bind_pad(world: World, log: Log) -> None:
    """bind() ignores the padding of sockaddr_nl."""
    s = netlink(world, wire.USERSOCK)
    log.call("bind", world.raw_call, s, "bind", sockaddr(AF_NETLINK, A, 0, 0xFFFF))
    log.name("name", s)


@case(marks=("raw_sockaddr",))
def connect_unspec(world: World, log: Log) -> None:
    """connect() to AF_UNSPEC disconnects the socket from its peer."""
    a, _b = netlink(world, wire.USERSOCK, bind=(A, 0)), netlink(world, wire.USERSOCK, bind=(B, 0))
    a.connect((B, 0))
    log.call("unspec", world.raw_call, a, "connect", sockaddr(AF_UNSPEC))
    log.peer("peer", a)
    log.name("name", a)
    log.call("send", a.send, b"x")
    a.connect((B, 0))
    log.call("2 bytes", world.raw_call, a, "connect", b"\0\0")
    log.peer("peer", a)


@case(marks=("raw_sockaddr",))
def connect_bad(world: World, log: Log) -> None:
    """connect() with an invalid family or length fails and keeps the peer."""
    s = netlink(world, wire.USERSOCK, bind=(A, 0))
    s.connect((B, 0))
    for family in (AF_INET, 1):
        log.call(f"family {family}", world.raw_call, s, "connect", sockaddr(family, 5))
    for size in (0, 1, 2, 11):
        log.call(f"{size} bytes", world.raw_call, s, "connect", sockaddr(AF_NETLINK, 5)[:size])
        log.peer("peer", s)


@case(privileged=True, marks=("raw_sockaddr",))
def connect_unspec_of_a_group(world: World, log: Log) -> None:
    """connect() to AF_UNSPEC also disconnects a socket from a group."""
    a = netlink(world, wire.USERSOCK, bind=(A, 0))
    b = netlink(world, wire.USERSOCK, bind=(B, 1 << 1))
    log.call("connect", a.connect, (0, 0b10))
    log.call("send", a.send, b"to the group")
    log.call("unspec", world.raw_call, a, "connect", b"\0\0")
    log.peer("peer", a)
    log.call("send", a.send, b"to nobody")
    log.recvfrom("recv", b)
    log.recvfrom("recv", b)
