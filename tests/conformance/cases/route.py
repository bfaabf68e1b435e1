"""NETLINK_ROUTE errors that occur even without routes and links. A runner can omit these cases by their mark
`route`.
"""

from __future__ import annotations

import struct

from tests.conformance import wire
from tests.conformance.case import case, netlink
from tests.conformance.log import Log
from tests.conformance.wire import ACK, CAP_ACK, EXT_ACK, REQUEST, SOL_NETLINK, attr
from tests.conformance.world import Socket, World

A = 0x4B000001
NEWLINK, DELLINK, GETLINK = 16, 17, 18
ROUTE_CASE = ("route",)


def opened(world: World) -> Socket:
    sock = netlink(world, wire.ROUTE, bind=(A, 0))
    sock.setsockopt(SOL_NETLINK, EXT_ACK, 1)
    return sock


def ifinfo(index: int = 0, attrs: bytes = b"", change: int = 0) -> bytes:
    return struct.pack("<BxHiII", 0, 0, index, 0, change) + attrs


@case(marks=ROUTE_CASE)
def unknown_types(world: World, log: Log) -> None:
    """A message type above RTM_MAX fails with EOPNOTSUPP. Types below RTM_BASE (16) are netlink control
    messages.
    """
    s = opened(world)
    for type in (15, 1000, 0xFFFF):
        log.ask(f"type {type}", s, wire.nlmsg(type, REQUEST | ACK, bytes(16), seq=1))


@case(marks=ROUTE_CASE)
def header_too_short(world: World, log: Log) -> None:
    """RTM_GETLINK fails with EINVAL if its payload is shorter than an ifinfomsg. The kernel ignores a message
    without a payload.
    """
    s = opened(world)
    for size in (0, 1, 4, 15):
        log.ask(f"{size} bytes", s, wire.nlmsg(GETLINK, REQUEST, bytes(size), seq=size))


@case(marks=ROUTE_CASE)
def change_unprivileged(world: World, log: Log) -> None:
    """An unprivileged request for a change fails with EPERM before the message is parsed."""
    s = opened(world)
    log.ask("newlink", s, wire.nlmsg(NEWLINK, REQUEST | ACK, ifinfo(), seq=1))
    log.ask("dellink", s, wire.nlmsg(DELLINK, REQUEST, ifinfo(999), seq=2))
    log.ask("short", s, wire.nlmsg(NEWLINK, REQUEST, b"", seq=3))


@case(marks=ROUTE_CASE)
def no_such_link(world: World, log: Log) -> None:
    """RTM_GETLINK fails with ENODEV if the link does not exist, and with EINVAL if the request has neither a
    name nor a positive index.
    """
    s = opened(world)
    log.ask("index", s, wire.nlmsg(GETLINK, REQUEST, ifinfo(999), seq=1))
    log.ask("name", s, wire.nlmsg(GETLINK, REQUEST, ifinfo(0, attr(3, b"nosuch0\0")), seq=2))
    log.ask("neither", s, wire.nlmsg(GETLINK, REQUEST, ifinfo(0), seq=3))
    log.ask("negative", s, wire.nlmsg(GETLINK, REQUEST, ifinfo(-5), seq=4))


@case(privileged=True, marks=ROUTE_CASE)
def delete_no_such_link(world: World, log: Log) -> None:
    """RTM_DELLINK fails with ENODEV if the link does not exist, and with EINVAL if the request selects no
    link or has a short header.
    """
    s = opened(world)
    log.ask("index", s, wire.nlmsg(DELLINK, REQUEST | ACK, ifinfo(999), seq=1))
    log.ask("neither", s, wire.nlmsg(DELLINK, REQUEST | ACK, ifinfo(0), seq=2))
    log.ask("short", s, wire.nlmsg(DELLINK, REQUEST | ACK, b"\0\0", seq=3))


@case(marks=ROUTE_CASE)
def bad_attributes(world: World, log: Log) -> None:
    """RTM_GETLINK fails with ERANGE if an attribute is too long or too short."""
    s = opened(world)
    log.ask("long name", s, wire.nlmsg(GETLINK, REQUEST, ifinfo(0, attr(3, b"n" * 20 + b"\0")), seq=1))
    log.ask("short mask", s, wire.nlmsg(GETLINK, REQUEST, ifinfo(999, attr(29, b"\1")), seq=2))
    s.setsockopt(SOL_NETLINK, CAP_ACK, 1)
    log.ask("capped", s, wire.nlmsg(GETLINK, REQUEST, ifinfo(0, attr(3, b"n" * 20 + b"\0")), seq=3))
