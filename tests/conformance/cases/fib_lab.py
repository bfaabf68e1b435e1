"""A network for the cases that change routes and rules."""

from __future__ import annotations

import contextlib
import socket
import struct

from simkernel.uapi import if_addr as ia
from simkernel.uapi import if_link as il
from simkernel.uapi import rtnetlink as rt
from simkernel.uapi.netlink import NLM_F_APPEND, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE
from simkernel.uapi.socket import AF_INET, AF_INET6
from tests.conformance import wire
from tests.conformance.case import netlink
from tests.conformance.log import Log
from tests.conformance.wire import ACK, DUMP, EXT_ACK, GET_STRICT_CHK, REQUEST, attr, nlmsg, u32
from tests.conformance.world import World

A, B = 0x53000001, 0x53000002
LO, VETH, PEER = 1, 2, 3
ROUTE, FILES = ("route",), ("route", "files")
IFF_UP = 1
NODAD = 2
"""IFA_F_NODAD: an IPv6 address is valid immediately, without duplicate address detection."""
UP, NEW, DEL, GET = 1, rt.RTM_NEWROUTE, rt.RTM_DELROUTE, rt.RTM_GETROUTE
CREATE, EXCL, REPLACE, APPEND = NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE, NLM_F_APPEND
MAIN, LOCAL = rt.RT_TABLE_MAIN, rt.RT_TABLE_LOCAL
LINK, HOST, NOWHERE = rt.RT_SCOPE_LINK, rt.RT_SCOPE_HOST, rt.RT_SCOPE_NOWHERE
GROUPS = {
    AF_INET: (rt.RTNLGRP_IPV4_ROUTE, rt.RTNLGRP_IPV4_RULE),
    AF_INET6: (rt.RTNLGRP_IPV6_ROUTE, rt.RTNLGRP_IPV6_RULE),
}


def packed(address: str) -> bytes:
    """Return an IPv4 or IPv6 address as bytes."""
    return socket.inet_pton(AF_INET6 if ":" in address else AF_INET, address)


def prefix(text: str) -> tuple[bytes, int]:
    """Parse a prefix such as "10.0.0.0/8" and return its address and length."""
    address, _, length = text.partition("/")
    data = packed(address)
    return data, int(length) if length else 8 * len(data)


def route(
    to: str = "",
    *,
    family: int = 0,
    length: int | None = None,
    source: str = "",
    via: str = "",
    dev: int = 0,
    prefsrc: str = "",
    metric: int | None = None,
    table: int = MAIN,
    proto: int = 4,
    scope: int = 0,
    type: int = rt.RTN_UNICAST,
    tos: int = 0,
    rtm_flags: int = 0,
    extra: bytes = b"",
) -> bytes:
    """Return a rtmsg with its attributes."""
    family = family or (AF_INET6 if ":" in to + via + source + prefsrc else AF_INET)
    dst, dst_len = prefix(to) if to else (b"", 0)
    src, src_len = prefix(source) if source else (b"", 0)
    head = rt.RtMsg(
        family,
        dst_len if length is None else length,
        src_len,
        tos,
        table if table < 256 else 0,
        proto,
        scope,
        type,
        rtm_flags,
    )
    return b"".join(
        (
            head.pack(),
            attr(rt.RTA_DST, dst) if dst else b"",
            attr(rt.RTA_SRC, src) if src else b"",
            attr(rt.RTA_GATEWAY, packed(via)) if via else b"",
            attr(rt.RTA_OIF, u32(dev)) if dev else b"",
            attr(rt.RTA_PREFSRC, packed(prefsrc)) if prefsrc else b"",
            b"" if metric is None else attr(rt.RTA_PRIORITY, u32(metric)),
            attr(rt.RTA_TABLE, u32(table)) if table >= 256 else b"",
            extra,
        )
    )


def hop(via: str, dev: int = 0, hops: int = 0, flags: int = 0) -> bytes:
    """Return one next hop (struct rtnexthop) of RTA_MULTIPATH."""
    gateway = attr(rt.RTA_GATEWAY, packed(via))
    return rt.RtNextHop(8 + len(gateway), flags, hops, dev).pack() + gateway


class Lab:
    """Two sockets for routes and rules of one family: `sock` sends requests, `listener` gets notifications.

    With `veth`, two links VETH and PEER are created, both down.
    """

    def __init__(
        self, world: World, log: Log, family: int = AF_INET, *, veth: bool = False, portid: int = 0
    ) -> None:
        self.log = log
        self.family = family
        self.seq = 0
        self.sock = netlink(world, wire.ROUTE, bind=(A + portid, 0))
        self.listener = netlink(world, wire.ROUTE, bind=(B + 256 + portid, 0))
        self.idle = netlink(world, wire.ROUTE)
        self.idle.settimeout(0.1)
        for option in (EXT_ACK, wire.CAP_ACK):
            self.sock.setsockopt(wire.SOL_NETLINK, option, 1)
        for group in GROUPS[family]:
            self.listener.setsockopt(wire.SOL_NETLINK, wire.ADD_MEMBERSHIP, group)
        if veth:
            self.make_veth()

    def make_veth(self) -> None:
        """Create the veth pair v0 and p0, which get no automatic addresses."""
        peer = rt.IfInfoMsg(index=PEER).pack() + attr(il.IFLA_IFNAME, b"p0\0")
        peer += attr(il.IFLA_ADDRESS, b"\2\0\0\0\0\2")
        info = attr(il.IFLA_INFO_KIND, b"veth\0") + attr(2, attr(1, peer))
        body = rt.IfInfoMsg(index=VETH).pack() + attr(il.IFLA_IFNAME, b"v0\0")
        body += attr(il.IFLA_ADDRESS, b"\2\0\0\0\0\1") + attr(il.IFLA_LINKINFO, info)
        self.quietly(rt.RTM_NEWLINK, body, CREATE | EXCL)
        without = attr(il.IFLA_AF_SPEC, attr(AF_INET6, attr(8, b"\1")))
        for index in (VETH, PEER):
            self.quietly(rt.RTM_SETLINK, rt.IfInfoMsg(index=index).pack() + without)
        self.settle()

    def quietly(self, type: int, body: bytes, flags: int = 0) -> None:
        """Send a request that must succeed, and record nothing."""
        self.sock.sendto(nlmsg(type, REQUEST | ACK | flags, body), (0, 0))
        answer = self.sock.recv(65536)
        error = struct.unpack_from("<i", answer, 16)[0]
        assert not error, f"message type {type}: errno {-error}"

    def settle(self) -> None:
        """Wait until the kernel has done deferred work, such as carrier changes and duplicate address
        detection.

        RTM_GETLINK handles a pending change of the carrier (linkwatch_sync_dev()).
        """
        with contextlib.suppress(TimeoutError):
            self.idle.recv(1)
        for index in (VETH, PEER):
            self.sock.sendto(nlmsg(rt.RTM_GETLINK, REQUEST, rt.IfInfoMsg(index=index).pack()), (0, 0))
            self.sock.recv(65536)

    def log_events(self, label: str) -> None:
        """Log the messages that the listener has received."""
        self.log.replies(f"{label} =>", self.listener)

    def link(self, index: int, up: bool, *, log: bool = True) -> None:
        """Set a link up or down."""
        body = rt.IfInfoMsg(index=index, flags=IFF_UP if up else 0, change=IFF_UP).pack()
        self.quietly(rt.RTM_NEWLINK, body)
        self.settle()
        if log:
            self.log_events(f"link {index} {'up' if up else 'down'}")

    def links_up(self) -> None:
        """Set all links up."""
        for index in (LO, VETH, PEER):
            self.link(index, True)

    def address(
        self, text: str, index: int, *, add: bool = True, flags: int = NODAD, extra: bytes = b""
    ) -> None:
        """Add or delete an address."""
        data, length = prefix(text)
        family = AF_INET if len(data) == 4 else AF_INET6
        flags = 0 if family == AF_INET else flags
        body = rt.IfAddrMsg(family, length, flags, 0, index).pack() + attr(ia.IFA_LOCAL, data) + extra
        if add:
            self.quietly(rt.RTM_NEWADDR, body, CREATE | EXCL)
        else:
            self.quietly(rt.RTM_DELADDR, body)
        if family == AF_INET6:
            self.settle()
        self.log_events(f"{'add' if add else 'del'} {text} {index}")

    def ask(self, label: str, type: int, body: bytes, flags: int = ACK) -> None:
        """Send a request, then record its replies and the notifications."""
        self.seq += 1
        self.log.ask(label, self.sock, nlmsg(type, REQUEST | flags, body, seq=self.seq))
        self.log_events(label)

    def new(self, label: str, to: str = "", flags: int = CREATE | EXCL, **more: object) -> None:
        """Add a route (RTM_NEWROUTE)."""
        more.setdefault("family", self.family)
        self.ask(f"new {label}", NEW, route(to, **more), ACK | flags)  # type: ignore[arg-type]

    def delete(self, label: str, to: str = "", **more: object) -> None:
        """Delete a route (RTM_DELROUTE). By default, only family, prefix and table select the route."""
        defaults = {"family": self.family, "proto": 0, "type": 0, "scope": NOWHERE}
        self.ask(f"del {label}", DEL, route(to, **{**defaults, **more}))  # type: ignore[arg-type]

    def get(self, label: str, to: str = "", **more: object) -> None:
        """Look up the route to an address (RTM_GETROUTE)."""
        defaults = {"family": self.family, "proto": 0, "type": 0, "table": 0}
        self.ask(f"get {label}", GET, route(to, **{**defaults, **more}), 0)  # type: ignore[arg-type]

    def dump(self, label: str, **more: object) -> None:
        """Dump all routes. If strict checking is enabled, dump only the routes that match the request."""
        defaults = {"family": self.family, "proto": 0, "type": 0, "table": 0}
        body = route(**{**defaults, **more})  # type: ignore[arg-type]
        self.ask(f"dump {label}", GET, body, DUMP)

    def strict(self) -> None:
        """Enable strict checking of requests (NETLINK_GET_STRICT_CHK)."""
        self.sock.setsockopt(wire.SOL_NETLINK, GET_STRICT_CHK, 1)
