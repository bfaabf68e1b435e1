"""Random programs that change links, addresses, routes, neighbours and rules in two namespaces.

A program has a socket for requests and a listener in each namespace. After each change, it reads all
notifications of both listeners. So the kernel's deferred work (linkwatch, duplicate address detection)
ends before the next change.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from random import Random
from typing import Any, Final

import attrs

from simkernel.uapi import netlink as nl
from simkernel.uapi import rtnetlink as rtnl
from simkernel.uapi import socket as so
from simkernel.uapi.structure import U32
from tests.conformance.live.links import address, link, neighbour, route, rule
from tests.conformance.live.links.picks import Picks
from tests.conformance.live.links.requests import Request, message
from tests.conformance.live.steps import Program, Step

Maker = Callable[[Picks], Request]

SENDERS: Final = (0, 1)
"""Slots of the sockets that send requests, one for each namespace. A slot is the number of a socket within a
program.
"""
LISTENERS: Final = (2, 3)
READER: Final = 4
"""Slot (number) of the socket that reads a dump one datagram at a time."""
UEVENTS: Final = 5
SLOW: Final = 7
"""Slot (number) of a socket that receives notifications in a small buffer. The program seldom reads it."""
LOCAL: Final = 6
"""Slot (number) of a unix socket, which is used for ioctl(2)."""
GET: Final = rtnl.RTM_GETLINK & 3
"""Value of the two lowest bits of the message type in every get request."""
FIRST_PORT: Final = 0x41000010
BUFFER_SIZE: Final = 1 << 16

LINK, NEIGH, ADDR4, ROUTE4, RULE4, ADDR6, ROUTE6, IFINFO6, PREFIX6, RULE6, NSID = (
    1,
    3,
    5,
    7,
    8,
    9,
    11,
    12,
    18,
    19,
    28,
)
GROUPS: Final = (LINK, NEIGH, ADDR4, ROUTE4, RULE4, ADDR6, ROUTE6, IFINFO6, PREFIX6, RULE6, NSID)
IMMEDIATE: Final = (ADDR4, ROUTE4, RULE4, RULE6)
"""Multicast groups. The kernel always sends their notifications during the request that causes them, never
later from a work queue. Therefore the receive queue of a slow listener overruns at the same message in
simkernel and on the host.
"""

LINKS: Final = (
    (4, link.new_veth),
    (3, link.new_bridge),
    (0.3, link.new_other),
    (14, link.change),
    (2, link.change_port),
    (5, link.enslave),
    (0.6, link.move),
    (1, link.change_group),
    (0.7, link.delete),
    (3, link.properties),
    (5, link.get),
    (3, link.get_all),
)
ADDRESSES: Final = (
    (10, address.add),
    (5, address.delete),
    (2, address.get),
    (2, address.get_all),
    (0.5, address.get_multicast),
)
ROUTES: Final = ((12, route.add), (6, route.delete), (4, route.lookup), (2, route.get_all))
NEIGHBOURS: Final = (
    (6, neighbour.add),
    (3, neighbour.delete),
    (2, neighbour.get),
    (1, neighbour.get_all),
    (4, neighbour.add_entry),
    (2, neighbour.delete_entry),
    (2, neighbour.get_entries),
)
RULES: Final = ((4, rule.add), (3, rule.delete), (1, rule.get_all))
AREAS: Final = {
    "links": LINKS,
    "addresses": ADDRESSES,
    "routes": ROUTES,
    "neighbours": NEIGHBOURS,
    "rules": RULES,
}
"""Parts of rtnetlink (areas) that random programs test. The key is the name of the area. The value contains
functions that return a random request, each with a weight.
"""
SHARES: Final = ((8, 5, 5, 3, 1), (14, 2, 1, 1, 0), (3, 9, 2, 0, 0), (2, 3, 12, 0, 3), (4, 1, 0, 9, 0))
"""Alternative weights of the areas. The numbers of a row are in the order of AREAS. A program uses a random
row unless its caller chooses areas.
"""

DUMPS: Final = (link.get_all, link.get_all, address.get_all, route.get_all, rule.get_all)

FILES: Final = ("/proc/net/dev", "/proc/net/route", "/proc/net/if_inet6", "/proc/net/ipv6_route")
"""Files in /proc/net that show links, addresses and routes."""

IFREQ: Final = struct.Struct("<16s24s")
GET_IOCTLS: Final = (
    0x8910,
    0x8913,
    0x8913,
    0x891D,
    0x8921,
    0x8927,
    0x8929,
    0x8933,
    0x8942,
    0x8970,
    0x8915,
    0x8977,
)
"""SIOCGIF requests NAME, FLAGS, METRIC, MTU, HWADDR, SLAVE, INDEX, TXQLEN, MAP, ADDR, and an unknown one."""
SET_FLAGS, SET_MTU, SET_NAME, SET_QUEUE, SET_ADDRESS = 0x8914, 0x8922, 0x8923, 0x8943, 0x8924


def link_program(random: Random, areas: Sequence[str] = ()) -> Program:
    """Return a random program that changes links, addresses, routes, neighbours or rules. If `areas` is given
    (keys of AREAS, such as `routes`), most requests belong to these parts of rtnetlink. A key that is listed
    twice is chosen twice as often as a key that is listed once.
    """
    return _Writer(random, areas).program()


@attrs.define
class _Writer:
    """Generator of a program's steps."""

    random: Random
    areas: Sequence[str] = ()
    steps: list[Step] = attrs.field(factory=list)
    p: Picks = attrs.field(init=False)
    uevents: bool = attrs.field(init=False)
    slow: bool = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.p = Picks(self.random)
        self.uevents = self.p.often(0.1)
        self.slow = self.p.often(0.2)

    def add(self, call: str, slot: int, *arguments: Any) -> None:
        self.steps.append(Step(call, slot, arguments))

    def program(self) -> Program:
        self._open()
        shares: tuple[int, ...] = self.random.choice(SHARES)
        if self.areas:
            shares = tuple(self.areas.count(name) for name in AREAS)
        self._prepare()
        for _ in range(self.random.choice((20, 40, 60))):
            pick = self.random.random()
            if pick < 0.86:
                (area,) = self.random.choices(tuple(AREAS.values()), shares)
                self._change(_drawn(self.random, area))
            elif pick < 0.92:
                self._interrupted_dump()
            elif pick < 0.97:
                self._ioctl()
            else:
                self.add("read_file", 0, self.p.one(0, 0, 1), self.random.choice(FILES))
        return tuple(self.steps)

    # -- sockets --------------------------------------------------------------------

    def _open(self) -> None:
        ids = (1, 0) if self.p.often(0.8) else (self.p.one(-1, 1), self.p.one(-1, 0))
        self.add("namespaces", 0, *ids)
        for slot in (*SENDERS, *LISTENERS, READER):
            self.add("socket_in", slot, slot % 2, so.AF_NETLINK, so.SOCK_RAW, nl.NETLINK_ROUTE)
            self.add("bind", slot, (FIRST_PORT + slot, 0))
            if self.p.often(0.9):
                self.add("setsockopt", slot, so.SOL_NETLINK, nl.NETLINK_EXT_ACK, 1)
            if self.p.often(0.5):
                self.add("setsockopt", slot, so.SOL_NETLINK, nl.NETLINK_GET_STRICT_CHK, 1)
        for slot in LISTENERS:
            for group in GROUPS:
                if self.p.often(0.95):
                    self.add("setsockopt", slot, so.SOL_NETLINK, nl.NETLINK_ADD_MEMBERSHIP, group)
            if self.p.often(0.1):
                self.add("setsockopt", slot, so.SOL_NETLINK, nl.NETLINK_LISTEN_ALL_NSID, 1)
        if self.slow:
            self.add("socket_in", SLOW, 0, so.AF_NETLINK, so.SOCK_RAW, nl.NETLINK_ROUTE)
            self.add("bind", SLOW, (FIRST_PORT + SLOW, 0))
            for group in IMMEDIATE:
                self.add("setsockopt", SLOW, so.SOL_NETLINK, nl.NETLINK_ADD_MEMBERSHIP, group)
            self.add("setsockopt", SLOW, so.SOL_SOCKET, so.SO_RCVBUF, self.p.one(1152, 2304, 8192))
            if self.p.often(0.3):
                self.add("setsockopt", SLOW, so.SOL_NETLINK, nl.NETLINK_NO_ENOBUFS, 1)
        if self.uevents:
            self.add("socket_in", UEVENTS, 0, so.AF_NETLINK, so.SOCK_RAW, nl.NETLINK_KOBJECT_UEVENT)
            self.add("bind", UEVENTS, (FIRST_PORT + UEVENTS, 1))
        self.add("socket_in", LOCAL, 0, so.AF_UNIX, so.SOCK_DGRAM, 0)

    # -- requests --------------------------------------------------------

    def _prepare(self) -> None:
        """In most programs, create some links and set most of them up. In some programs, also add a link to a
        bridge.
        """
        if self.p.often(0.8):
            for maker in (link.new_veth, link.new_bridge, link.new_veth)[: self.p.one(1, 2, 3)]:
                self._send(maker(self.p))
            if self.p.links[0] > 3 and self.p.often(0.4):
                self._send(link.enslave(self.p, self.p.one(2, 3), 4))
            for index in range(1, self.p.links[0] + 1):
                if self.p.often(0.7):
                    self._send(
                        Request(rtnl.RTM_NEWLINK, rtnl.IfInfoMsg(index=index, flags=1, change=1).pack())
                    )

    def _change(self, maker: Maker) -> None:
        self.p.net = self.p.one(0, 0, 0, 1)
        self._send(maker(self.p))

    def _send(self, request: Request) -> None:
        slot = SENDERS[self.p.net]
        self.add("sendto", slot, message(self.p, request), so.MSG_DONTWAIT, (0, 0))
        size = BUFFER_SIZE if self.p.often(0.95) else self.p.one(4096, 8192)
        self.add("drain", slot, size, 0, so.MSG_DONTWAIT)
        if request.type & 3 != GET:
            self._read_events()

    def _read_events(self) -> None:
        for slot in (*LISTENERS, UEVENTS) if self.uevents else LISTENERS:
            self.add("read_events", slot, BUFFER_SIZE, 100)
        if self.slow and self.p.often(0.1):
            self.add("drain", SLOW, BUFFER_SIZE, 0, so.MSG_DONTWAIT)

    def _interrupted_dump(self) -> None:
        """Read a dump one datagram at a time, and change links between the reads."""
        self.p.net = 0
        self.add(
            "sendto", READER, message(self.p, self.random.choice(DUMPS)(self.p)), so.MSG_DONTWAIT, (0, 0)
        )
        for _ in range(self.p.one(0, 1, 1, 2)):
            self.add("recvmsg", READER, self.p.one(4096, 8192, BUFFER_SIZE), 0, so.MSG_DONTWAIT)
            self._change(_drawn(self.random, LINKS))
        self.add("drain", READER, BUFFER_SIZE, 0, so.MSG_DONTWAIT)

    # -- ioctl ----------------------------------------------------------------------------

    def _ioctl(self) -> None:
        slot = self.p.one(SENDERS[0], LOCAL)
        name = self.p.name()[:16]
        self.p.net = 0
        if self.p.often(0.6):
            value = U32.pack(self.p.index() & 0xFFFFFFFF)
            self.add("ioctl", slot, self.p.one(*GET_IOCTLS), IFREQ.pack(name, value))
            return
        request, value = self.random.choice(
            (
                (SET_FLAGS, struct.pack("<H", self.p.one(0, 1, 0x1003, 0x1002, 0x1043, 0x8003, 0x1103))),
                (SET_FLAGS, struct.pack("<H", self.p.one(0x1003, 0x1002))),
                (SET_MTU, struct.pack("<i", self.p.one(1400, 1500, 67, 70000, -1))),
                (SET_NAME, self.p.name()[:16]),
                (SET_QUEUE, struct.pack("<i", self.p.one(0, 100, -1))),
                (SET_ADDRESS, struct.pack("<H", self.p.one(1, 1, 1, 0, 772)) + self.p.mac()[:14]),
            )
        )
        self.add("ioctl", slot, request, IFREQ.pack(name, value))
        self._read_events()


def _drawn(random: Random, area: tuple[tuple[float, Maker], ...]) -> Maker:
    (maker,) = random.choices([each for _, each in area], [weight for weight, _ in area])
    return maker
