"""`netdev`, a generic netlink family with strict checks.

Every family since 2022 has these checks: reserved bits, unknown attributes and missing attributes.
Attribute 1 of `netdev` is a device index of at least 1. Command 1 gets a device, without privilege. A
simulated kernel can omit the family: the cases have the mark `netdev`.
"""

from __future__ import annotations

import struct
from itertools import product

from simkernel.uapi.socket import MSG_DONTWAIT
from tests.conformance import wire
from tests.conformance.case import case, netlink
from tests.conformance.cases.tabled import grouped, outcome
from tests.conformance.log import Log
from tests.conformance.wire import (
    ACK,
    ATOMIC,
    CAP_ACK,
    DUMP,
    ECHO,
    EXT_ACK,
    MATCH,
    NESTED,
    REQUEST,
    ROOT,
    SOL_NETLINK,
    attr,
    genl,
    nlmsg,
    u32,
)
from tests.conformance.world import Socket, World

A = 0x4C000001
GET = 1


def opened(world: World, log: Log, *options: int) -> tuple[Socket, int]:
    """Return a bound NETLINK_GENERIC socket, and the id of the family netdev."""
    sock = netlink(world, wire.GENERIC, bind=(A, 0))
    for option in (EXT_ACK, *options):
        sock.setsockopt(SOL_NETLINK, option, 1)
    sock.send(wire.ctrl(attrs=wire.by_name(b"netdev\0")))
    found = dict(wire.attrs(sock.recv(65536)[20:]))
    (ident,) = struct.unpack("<H", found[wire.A_FAMILY_ID])
    log("family", ident)
    return sock, ident


@case(marks=("netdev",))
def missing_attribute(world: World, log: Log) -> None:
    """NLMSGERR_ATTR_MISS_TYPE contains the type of the missing attribute. The error has no offset or text."""
    s, netdev = opened(world, log)
    log.ask("none", s, nlmsg(netdev, REQUEST, genl(GET), seq=1))
    s.setsockopt(SOL_NETLINK, CAP_ACK, 1)
    log.ask("capped", s, nlmsg(netdev, REQUEST | ACK, genl(GET), seq=2))


@case(marks=("netdev",))
def reserved_bits(world: World, log: Log) -> None:
    """The reserved field of genlmsghdr must be 0. The version can have any value."""
    s, netdev = opened(world, log)
    log.ask("reserved", s, nlmsg(netdev, REQUEST, genl(GET, attr(1, u32(999)), reserved=1), seq=1))
    log.ask("version", s, nlmsg(netdev, REQUEST, genl(GET, attr(1, u32(999)), version=9), seq=2))


@case(marks=("netdev",))
def reserved_flags(world: World, log: Log) -> None:
    """The kernel refuses flags of nlmsghdr that are not defined for the request."""
    s, netdev = opened(world, log)
    for flags in (ROOT, MATCH, ATOMIC, 0x800, 2, 0x10, 0x8000, ECHO, ACK, ROOT | ATOMIC):
        log.ask(f"{flags:#x}", s, nlmsg(netdev, REQUEST | flags, genl(GET, attr(1, u32(999))), seq=flags))
    log.ask("dump", s, nlmsg(netdev, REQUEST | DUMP | ATOMIC, genl(200), seq=9))


@case(marks=("netdev",))
def strict_attributes(world: World, log: Log) -> None:
    """The kernel refuses a do request if an attribute has an unknown type, an unexpected NLA_F_NESTED or a
    wrong length, or if bytes are left over.
    """
    s, netdev = opened(world, log)
    for label, attrs in (
        ("unknown", attr(1, u32(999)) + attr(77, b"x")),
        ("type 0", attr(0, b"x") + attr(1, u32(999))),
        ("not taken", attr(1, u32(999)) + attr(3, bytes(8))),
        ("nested", attr(1 | NESTED, u32(999))),
        ("short", attr(1, b"\1\0")),
        ("long", attr(1, bytes(8))),
        ("leftover", attr(1, u32(999)) + b"\1\2"),
    ):
        log.ask(label, s, nlmsg(netdev, REQUEST, genl(GET, attrs), seq=1))


@case(marks=("netdev",))
def dump_without_multi(world: World, log: Log) -> None:
    """The messages in a dump of devices have no NLM_F_MULTI. Only NLMSG_DONE has this flag."""
    s, netdev = opened(world, log)
    log.ask("devices", s, nlmsg(netdev, REQUEST | DUMP, genl(GET), seq=1))


@case(marks=("netdev",))
def out_of_range(world: World, log: Log) -> None:
    """Errors for a device index that the policy forbids, and for an allowed index that no device has."""
    s, netdev = opened(world, log)
    log.ask("0", s, nlmsg(netdev, REQUEST, genl(GET, attr(1, u32(0))), seq=1))
    log.ask("999", s, nlmsg(netdev, REQUEST, genl(GET, attr(1, u32(999))), seq=2))


@case(privileged=True, marks=("netdev",))
def commands_with_attributes(world: World, log: Log) -> None:
    """Replies to each netdev command with many combinations of attributes, in do requests and in dumps. The
    only device is `lo`, which has no page pool and no NAPI instance.
    """
    s, netdev = opened(world, log, CAP_ACK)
    small = {type: attr(type, u32(1)) for type in range(1, 9)}
    absent = {type: attr(type, u32(99)) for type in range(1, 9)}
    bodies = {"nothing": b""}
    bodies |= {f"{type}": small[type] for type in small} | {f"absent {type}": absent[type] for type in absent}
    bodies |= {
        f"{one} and {two}": small[one] + small[two] for one in range(1, 4) for two in range(one + 1, 5)
    }
    bodies |= {"all": b"".join(small.values()), "1 to 3": small[1] + small[2] + small[3]}
    bodies |= {"absent 1 to 3": absent[1] + absent[2] + absent[3], "3, 1, 2": small[3] + small[1] + small[2]}
    for command, flags in product(range(16), (0, DUMP)):
        answers = []
        for label, body in bodies.items():
            s.send(nlmsg(netdev, REQUEST | flags, genl(command, body), seq=1))
            answers.append((label, outcomes(s)))
        log(f"{command} {flags}", grouped(answers))


def outcomes(sock: Socket) -> str:
    """Receive all queued replies, and return their outcomes as one line."""
    lines: list[str] = []
    while True:
        try:
            data = sock.recv(65536, MSG_DONTWAIT)
        except BlockingIOError:
            return " & ".join(lines)
        lines += [outcome(head[1], payload) for head, payload in wire.messages(data)]
