"""NETLINK_ROUTE: routes and rules that change, and those that come and go with links and addresses."""

from __future__ import annotations

import contextlib
import socket
import struct

from simkernel.uapi import fib_rules as fr
from simkernel.uapi import if_addr as ia
from simkernel.uapi import if_link as il
from simkernel.uapi import neighbour as nb
from simkernel.uapi import rtnetlink as rt
from simkernel.uapi.fib_rules import FibRuleHdr
from simkernel.uapi.netlink import NLM_F_APPEND, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE
from simkernel.uapi.socket import AF_INET, AF_INET6, AF_UNSPEC
from tests.conformance import wire
from tests.conformance.case import case, netlink
from tests.conformance.log import Log
from tests.conformance.wire import ACK, DUMP, ECHO, EXT_ACK, GET_STRICT_CHK, REQUEST, attr, nlmsg, u32
from tests.conformance.world import World

A, B = 0x53000001, 0x53000002
LO, VETH, PEER = 1, 2, 3
ROUTE, FILES = ("route",), ("route", "files")
IFF_UP = 1
NODAD = 2
"""IFA_F_NODAD: an IPv6 address is valid at once."""
UP, NEW, DEL, GET = 1, rt.RTM_NEWROUTE, rt.RTM_DELROUTE, rt.RTM_GETROUTE
CREATE, EXCL, REPLACE, APPEND = NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE, NLM_F_APPEND
MAIN, LOCAL = rt.RT_TABLE_MAIN, rt.RT_TABLE_LOCAL
LINK, HOST, NOWHERE = rt.RT_SCOPE_LINK, rt.RT_SCOPE_HOST, rt.RT_SCOPE_NOWHERE
GROUPS = {
    AF_INET: (rt.RTNLGRP_IPV4_ROUTE, rt.RTNLGRP_IPV4_RULE),
    AF_INET6: (rt.RTNLGRP_IPV6_ROUTE, rt.RTNLGRP_IPV6_RULE),
}


def packed(address: str) -> bytes:
    """An address of either family."""
    return socket.inet_pton(AF_INET6 if ":" in address else AF_INET, address)


def prefix(text: str) -> tuple[bytes, int]:
    """The address of a prefix, and its length."""
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
    """A rtmsg and its attributes."""
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


class Lab:
    """Two sockets of one family: `ask` sends, and what the groups of routes and rules receive is logged.

    With `veth` there is a pair of links, of which the first is up.
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
        """Links without automatic addresses: v0 and p0, which is down."""
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
        """A request that has to succeed."""
        self.sock.sendto(nlmsg(type, REQUEST | ACK | flags, body), (0, 0))
        answer = self.sock.recv(65536)
        error = struct.unpack_from("<i", answer, 16)[0]
        assert not error, f"message type {type}: errno {-error}"

    def settle(self) -> None:
        """Wait for what the kernel does later: a change of carrier, the check of an IPv6 address.

        RTM_GETLINK has a pending change of carrier take effect (linkwatch_sync_dev()).
        """
        with contextlib.suppress(TimeoutError):
            self.idle.recv(1)
        for index in (VETH, PEER):
            self.sock.sendto(nlmsg(rt.RTM_GETLINK, REQUEST, rt.IfInfoMsg(index=index).pack()), (0, 0))
            self.sock.recv(65536)

    def told(self, label: str) -> None:
        """Log what the groups have received."""
        self.log.replies(f"{label} =>", self.listener)

    def link(self, index: int, up: bool, *, told: bool = True) -> None:
        """Set a link up or down."""
        body = rt.IfInfoMsg(index=index, flags=IFF_UP if up else 0, change=IFF_UP).pack()
        self.quietly(rt.RTM_NEWLINK, body)
        self.settle()
        if told:
            self.told(f"link {index} {'up' if up else 'down'}")

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
        self.told(f"{'add' if add else 'del'} {text} {index}")

    def ask(self, label: str, type: int, body: bytes, flags: int = ACK) -> None:
        """Send a request; log the answers and what the groups receive."""
        self.seq += 1
        self.log.ask(label, self.sock, nlmsg(type, REQUEST | flags, body, seq=self.seq))
        self.told(label)

    def new(self, label: str, to: str = "", flags: int = CREATE | EXCL, **more: object) -> None:
        """RTM_NEWROUTE."""
        more.setdefault("family", self.family)
        self.ask(f"new {label}", NEW, route(to, **more), ACK | flags)  # type: ignore[arg-type]

    def delete(self, label: str, to: str = "", **more: object) -> None:
        """RTM_DELROUTE; unlike in `new`, what is not said is not compared."""
        defaults = {"family": self.family, "proto": 0, "type": 0, "scope": NOWHERE}
        self.ask(f"del {label}", DEL, route(to, **{**defaults, **more}))  # type: ignore[arg-type]

    def get(self, label: str, to: str = "", **more: object) -> None:
        """RTM_GETROUTE of one address."""
        defaults = {"family": self.family, "proto": 0, "type": 0, "table": 0}
        self.ask(f"get {label}", GET, route(to, **{**defaults, **more}), 0)  # type: ignore[arg-type]

    def dump(self, label: str, **more: object) -> None:
        """Dump all routes, or those that a strict request asks for."""
        defaults = {"family": self.family, "proto": 0, "type": 0, "table": 0}
        body = route(**{**defaults, **more})  # type: ignore[arg-type]
        self.ask(f"dump {label}", GET, body, DUMP)

    def strict(self) -> None:
        """Ask strictly from now on."""
        self.sock.setsockopt(wire.SOL_NETLINK, GET_STRICT_CHK, 1)


# -- IPv4: automatic routes ------------------------------------------------------


@case(privileged=True, marks=ROUTE)
def loopback_routes(world: World, log: Log) -> None:
    """The routes of 127.0.0.1 come with `lo` and go with it."""
    lab = Lab(world, log)
    for up in (True, False, True):
        lab.link(LO, up)
        lab.dump("all")
    lab.address("127.0.0.1/8", LO, add=False)
    lab.dump("without address")


@case(privileged=True, marks=ROUTE)
def address_routes(world: World, log: Log) -> None:
    """Routes of addresses: prefix, local and broadcast; secondary ones; peers; metrics; order."""
    lab = Lab(world, log, veth=True)
    lab.address("10.0.0.1/24", VETH)
    lab.dump("while down")
    lab.link(VETH, True)
    lab.dump("up")
    lab.address("10.0.0.2/24", VETH)
    lab.address("10.0.0.3/25", VETH, extra=attr(ia.IFA_BROADCAST, packed("10.0.0.127")))
    lab.address("10.9.0.1/32", VETH)
    lab.address("10.8.0.1/31", VETH)
    lab.address("10.7.0.1/30", VETH, extra=attr(ia.IFA_RT_PRIORITY, u32(77)))
    lab.address("10.6.0.1/24", VETH, extra=attr(ia.IFA_ADDRESS, packed("10.5.0.1")))
    lab.address("10.4.0.1/24", VETH, extra=attr(ia.IFA_FLAGS, u32(0x200)))
    lab.dump("all")
    for address in ("10.9.0.1/32", "10.8.0.1/31", "10.7.0.1/30", "10.4.0.1/24", "10.0.0.3/25"):
        lab.address(address, VETH, add=False)
    lab.dump("fewer")
    lab.address("10.0.0.1/24", VETH, add=False)
    lab.dump("primary gone")
    lab.link(VETH, False)
    lab.dump("down")
    lab.link(VETH, True)
    lab.dump("up again")


@case(privileged=True, marks=ROUTE)
def same_prefix_on_two_links(world: World, log: Log) -> None:
    """The same prefix on two links: one route each; the order of aliases; the first goes."""
    lab = Lab(world, log, veth=True)
    for index in (LO, VETH, PEER):
        lab.link(index, True)
    lab.address("10.0.0.1/24", VETH)
    lab.address("10.0.0.2/24", PEER)
    lab.dump("both")
    lab.get("neighbour", "10.0.0.9")
    lab.link(VETH, False)
    lab.dump("one down")
    lab.get("neighbour", "10.0.0.9")
    lab.link(VETH, True)
    lab.dump("up again")
    lab.address("10.0.0.2/24", PEER, add=False)
    lab.dump("one")


@case(privileged=True, marks=ROUTE)
def routes_with_a_link(world: World, log: Log) -> None:
    """Routes over a link that goes down and is deleted; those that are not over it stay."""
    lab = Lab(world, log, veth=True)
    for index in (LO, VETH, PEER):
        lab.link(index, True)
    lab.address("10.0.0.1/24", VETH)
    lab.new("gateway", "10.1.0.0/16", via="10.0.0.2")
    lab.new("device", "10.2.0.0/16", dev=VETH, scope=LINK)
    lab.new("default", via="10.0.0.254", prefsrc="10.0.0.1")
    lab.new("blackhole", "10.3.0.0/16", type=rt.RTN_BLACKHOLE)
    lab.new("local", "10.4.0.1/32", dev=VETH, scope=HOST, type=rt.RTN_LOCAL, table=LOCAL)
    lab.dump("all")
    lab.link(VETH, False)
    lab.dump("down")
    lab.link(VETH, True)
    lab.dump("up")
    lab.new("gateway again", "10.1.0.0/16", via="10.0.0.2")
    lab.ask("delete the link", rt.RTM_DELLINK, rt.IfInfoMsg(index=VETH).pack())
    lab.dump("gone")


@case(privileged=True, marks=ROUTE)
def routes_without_a_carrier(world: World, log: Log) -> None:
    """RTNH_F_LINKDOWN: a veth whose peer is down has no carrier."""
    lab = Lab(world, log, veth=True)
    lab.link(VETH, True)
    lab.address("10.0.0.1/24", VETH)
    lab.new("gateway", "10.1.0.0/16", via="10.0.0.2")
    lab.new("onlink", "10.2.0.0/16", via="10.9.9.9", dev=VETH, rtm_flags=rt.RTNH_F_ONLINK)
    lab.dump("no carrier")
    lab.get("gateway", "10.1.0.1")
    lab.get("gateway's route", "10.1.0.1", rtm_flags=rt.RTM_F_FIB_MATCH)
    lab.get("own", "10.0.0.1")


@case(privileged=True, marks=ROUTE)
def preferred_source_goes(world: World, log: Log) -> None:
    """Routes that prefer an address go with it, and RTM_DELROUTE says so."""
    lab = Lab(world, log, veth=True)
    for index in (LO, VETH, PEER):
        lab.link(index, True)
    lab.address("10.0.0.1/24", VETH)
    lab.address("10.5.0.1/32", VETH)
    lab.new("one", "10.1.0.0/16", via="10.0.0.2", prefsrc="10.5.0.1")
    lab.new("another", "10.2.0.0/16", dev=PEER, scope=LINK, prefsrc="10.5.0.1")
    lab.new("in a table", "10.2.0.0/16", dev=PEER, scope=LINK, prefsrc="10.5.0.1", table=99)
    lab.new("of another", "10.3.0.0/16", via="10.0.0.2", prefsrc="10.0.0.1")
    lab.address("10.5.0.1/32", VETH, add=False)
    lab.dump("after")
    lab.address("10.0.0.1/24", VETH, add=False)
    lab.dump("after both")


# -- IPv4: requests ----------------------------------------------------------------


@case(privileged=True, marks=ROUTE)
def routes_refused(world: World, log: Log) -> None:
    """RTM_NEWROUTE and RTM_DELROUTE that come to nothing."""
    lab = Lab(world, log, veth=True)
    lab.link(LO, True)
    lab.link(VETH, True)
    lab.address("10.0.0.1/24", VETH)
    via = attr(rt.RTA_VIA, b"\2\0" + packed("10.0.0.2"))
    nexthops = rt.RtNextHop(16, index=VETH).pack() + attr(rt.RTA_GATEWAY, packed("10.0.0.2"))
    for label, to, more in (
        ("nothing", "", {}),
        ("no device", "10.1.0.0/16", {"dev": 99, "scope": LINK}),
        ("link down", "10.1.0.0/16", {"dev": PEER, "scope": LINK}),
        ("bits", "10.1.0.1/16", {"dev": VETH, "scope": LINK}),
        ("length", "10.1.0.0/16", {"length": 33, "dev": VETH}),
        ("scope of a device", "10.1.0.0/16", {"dev": VETH, "scope": 255}),
        ("universe", "10.1.0.0/16", {"dev": VETH}),
        ("host", "10.1.0.0/16", {"dev": VETH, "scope": HOST}),
        ("host via", "10.1.0.0/16", {"via": "10.0.0.2", "scope": HOST}),
        ("host without", "10.1.0.0/16", {"scope": HOST}),
        ("link via", "10.1.0.0/16", {"via": "10.0.0.2", "scope": LINK}),
        ("unreachable gateway", "10.1.0.0/16", {"via": "10.9.0.1"}),
        ("own gateway", "10.1.0.0/16", {"via": "10.0.0.1"}),
        ("broadcast gateway", "10.1.0.0/16", {"via": "10.0.0.255"}),
        ("gateway of another link", "10.1.0.0/16", {"via": "10.0.0.2", "dev": LO}),
        ("gateway 0", "10.1.0.0/16", {"via": "0.0.0.0", "dev": VETH}),
        ("onlink without", "10.1.0.0/16", {"via": "10.9.0.1", "rtm_flags": rt.RTNH_F_ONLINK}),
        ("onlink down", "10.1.0.0/16", {"via": "10.9.0.1", "dev": PEER, "rtm_flags": rt.RTNH_F_ONLINK}),
        ("onlink own", "10.1.0.0/16", {"via": "10.0.0.1", "dev": VETH, "rtm_flags": rt.RTNH_F_ONLINK}),
        ("onlink link", "10.1.0.0/16", {"via": "10.9.0.1", "dev": VETH, "rtm_flags": 4, "scope": LINK}),
        ("onlink device", "10.1.0.0/16", {"dev": VETH, "rtm_flags": rt.RTNH_F_ONLINK, "scope": LINK}),
        ("dead", "10.1.0.0/16", {"dev": VETH, "scope": LINK, "rtm_flags": rt.RTNH_F_DEAD}),
        ("prefsrc", "10.1.0.0/16", {"dev": VETH, "scope": LINK, "prefsrc": "10.0.0.7"}),
        ("prefsrc of broadcast", "10.1.0.0/16", {"dev": VETH, "scope": LINK, "prefsrc": "10.0.0.255"}),
        ("blackhole over", "10.1.0.0/16", {"dev": VETH, "type": rt.RTN_BLACKHOLE}),
        ("blackhole of scope", "10.1.0.0/16", {"scope": 255, "type": rt.RTN_BLACKHOLE}),
        ("local of scope", "10.1.0.0/16", {"dev": VETH, "type": rt.RTN_LOCAL}),
        ("nat", "10.1.0.0/16", {"dev": VETH, "scope": 255, "type": rt.RTN_NAT}),
        ("no type", "10.1.0.0/16", {"dev": VETH, "scope": 255, "type": 0}),
        ("no type, universe", "10.1.0.0/16", {"dev": VETH, "type": 0}),
        ("wrong type", "10.1.0.0/16", {"dev": VETH, "type": 12}),
        ("tos", "10.1.0.0/16", {"dev": VETH, "scope": LINK, "tos": 1}),
        ("both", "10.1.0.0/16", {"via": "10.0.0.2", "extra": via}),
        ("via of no family", "10.1.0.0/16", {"extra": attr(rt.RTA_VIA, b"\7\0" + bytes(4))}),
        ("short via", "10.1.0.0/16", {"extra": attr(rt.RTA_VIA, b"\2\0" + bytes(3))}),
        ("shorter via", "10.1.0.0/16", {"extra": attr(rt.RTA_VIA, b"\2")}),
        ("short device", "10.1.0.0/16", {"extra": attr(rt.RTA_OIF, b"\2\0")}),
        ("no next hop", "10.1.0.0/16", {"extra": attr(rt.RTA_NH_ID, u32(7))}),
        ("next hop and device", "10.1.0.0/16", {"dev": VETH, "extra": attr(rt.RTA_NH_ID, u32(7))}),
        ("blackhole and next hops", "10.1.0.0/16", {"type": 6, "extra": attr(rt.RTA_MULTIPATH, nexthops)}),
        ("metric", "10.1.0.0/16", {"dev": VETH, "scope": LINK, "extra": attr(8, attr(18, u32(1)))}),
        ("short metric", "10.1.0.0/16", {"dev": VETH, "scope": LINK, "extra": attr(8, attr(2, b"xx"))}),
        ("features", "10.1.0.0/16", {"dev": VETH, "scope": LINK, "extra": attr(8, attr(12, u32(64)))}),
        ("cwnd", "10.1.0.0/16", {"dev": VETH, "scope": LINK, "extra": attr(8, attr(1, u32(1 << 7)))}),
        ("algorithm", "10.1.0.0/16", {"dev": VETH, "scope": LINK, "extra": attr(8, attr(16, b"none\0"))}),
        ("table", "10.1.0.0/16", {"dev": VETH, "scope": LINK, "table": 77}),
    ):
        lab.new(label, to, **more)  # type: ignore[arg-type]
        lab.delete(label, to, **{k: v for k, v in more.items() if k not in ("scope", "type")})  # type: ignore[arg-type, attr-defined]
    lab.ask("short", NEW, b"\2\0\0\0")
    lab.delete("no table", "10.1.0.0/16", table=78)
    lab.dump("what came of it")


@case(privileged=True, marks=ROUTE)
def route_flags(world: World, log: Log) -> None:
    """NLM_F_CREATE, EXCL, REPLACE, APPEND and none: what becomes of the routes of one prefix."""
    lab = Lab(world, log, veth=True)
    for index in (LO, VETH, PEER):
        lab.link(index, True)
    lab.address("10.0.0.1/24", VETH)
    to, one, two, three = "10.1.0.0/16", "10.0.0.2", "10.0.0.3", "10.0.0.4"
    lab.new("no flags", to, 0, via=one)
    lab.new("replace nothing", to, REPLACE, via=one)
    lab.new("first", to, CREATE | EXCL, via=one)
    lab.new("again", to, CREATE | EXCL, via=one)
    lab.new("other", to, CREATE | EXCL, via=two)
    lab.new("create", to, CREATE, via=one)
    lab.new("prepend", to, CREATE, via=two)
    lab.new("append", to, CREATE | APPEND, via=three)
    lab.new("append again", to, CREATE | APPEND, via=three)
    lab.dump("three")
    lab.new("replace by itself", to, CREATE | REPLACE, via=two)
    lab.new("replace by another", to, CREATE | REPLACE, via=three)
    lab.new("replace first", to, CREATE | REPLACE, via="10.0.0.5")
    lab.new("replace without create", to, REPLACE, via="10.0.0.6")
    lab.new("no flags, other", to, 0, via="10.0.0.7")
    lab.new("metric", to, CREATE | EXCL, via=one, metric=5)
    lab.new("tos", to, CREATE | EXCL, via=one, tos=0x10)
    lab.new("higher tos", to, CREATE | EXCL, via=one, tos=0x20)
    lab.new("type", to, CREATE | APPEND, type=rt.RTN_PROHIBIT)
    lab.new("echo", to, CREATE | EXCL | ECHO, via=one, metric=6)
    lab.new("longer", "10.1.0.0/24", CREATE | EXCL, via=one)
    lab.new("other proto", to, CREATE | APPEND, via=one, proto=99)
    lab.dump("all")
    lab.delete("proto", to, proto=99)
    lab.delete("tos", to, tos=0x10)
    lab.delete("metric", to, metric=7)
    lab.delete("metric", to, metric=5)
    lab.delete("type", to, type=rt.RTN_PROHIBIT)
    lab.delete("gateway", to, via="10.0.0.99")
    lab.delete("gateway", to, via=one)
    lab.delete("scope", to, scope=LINK)
    lab.delete("device", to, dev=LO)
    lab.delete("device", to, dev=VETH)
    lab.delete("prefsrc", to, prefsrc="10.0.0.1")
    lab.delete("metrics", to, extra=attr(8, attr(2, u32(1400))))
    for _ in range(4):
        lab.delete("any", to)
    lab.dump("rest")


@case(privileged=True, marks=ROUTE)
def route_metrics(world: World, log: Log) -> None:
    """RTA_METRICS: what is kept and how it is shown; RTA_FLOW; a gateway by RTA_VIA."""
    lab = Lab(world, log, veth=True)
    for index in (LO, VETH, PEER):
        lab.link(index, True)
    lab.address("10.0.0.1/24", VETH)
    metrics = b"".join(
        attr(type, u32(value))
        for type, value in ((2, 1400), (2, 70000), (1, 4), (3, 5), (4, 800), (8, 65535), (10, 300), (12, 1))
    )
    lab.new("metrics", "10.1.0.0/16", via="10.0.0.2", extra=attr(rt.RTA_METRICS, metrics))
    lab.new("empty", "10.2.0.0/16", via="10.0.0.2", extra=attr(rt.RTA_METRICS, b""))
    lab.new("zero", "10.2.1.0/24", via="10.0.0.2", extra=attr(rt.RTA_METRICS, attr(2, u32(0))))
    lab.new("flow", "10.3.0.0/16", via="10.0.0.2", extra=attr(rt.RTA_FLOW, u32(7)))
    lab.new("via", "10.4.0.0/16", extra=attr(rt.RTA_VIA, b"\2\0" + packed("10.0.0.2")))
    lab.get("metrics", "10.1.0.1")
    lab.get("metrics' route", "10.1.0.1", rtm_flags=rt.RTM_F_FIB_MATCH)
    lab.delete("metrics", "10.1.0.0/16", extra=attr(8, attr(2, u32(1400))))
    lab.delete("metrics", "10.1.0.0/16", extra=attr(8, attr(2, u32(65520))))
    lab.delete("flow", "10.3.0.0/16", dev=VETH, extra=attr(rt.RTA_FLOW, u32(8)))
    lab.delete("flow", "10.3.0.0/16", dev=VETH, extra=attr(rt.RTA_FLOW, u32(7)))


@case(privileged=True, marks=ROUTE)
def multipath(world: World, log: Log) -> None:
    """RTA_MULTIPATH: weights, flags, a next hop that goes down, refusals, deletion."""
    lab = Lab(world, log, veth=True)
    for index in (LO, VETH, PEER):
        lab.link(index, True)
    lab.address("10.0.0.1/24", VETH)
    lab.address("10.5.0.1/24", PEER)

    def hop(via: str, dev: int = 0, hops: int = 0, flags: int = 0) -> bytes:
        return rt.RtNextHop(16, flags, hops, dev).pack() + attr(rt.RTA_GATEWAY, packed(via))

    pair = hop("10.0.0.2") + hop("10.5.0.2", PEER, 3)
    lab.new("pair", "10.1.0.0/16", extra=attr(rt.RTA_MULTIPATH, pair))
    lab.new("again", "10.1.0.0/16", CREATE | REPLACE, extra=attr(rt.RTA_MULTIPATH, pair))
    lab.new("one", "10.2.0.0/16", extra=attr(rt.RTA_MULTIPATH, hop("10.0.0.2")))
    for label, data in (
        ("none", b""),
        ("short", pair[:-2]),
        ("leftover", pair + b"\0\0"),
        ("dead", hop("10.0.0.2", flags=1)),
        ("unreachable", pair + hop("10.77.0.1")),
    ):
        lab.new(label, "10.3.0.0/16", extra=attr(rt.RTA_MULTIPATH, data))
    lab.new("host", "10.3.0.0/16", scope=HOST, extra=attr(rt.RTA_MULTIPATH, pair))
    lab.new("with device", "10.3.0.0/16", dev=PEER, extra=attr(rt.RTA_MULTIPATH, pair))
    lab.dump("all")
    lab.link(PEER, False)
    lab.dump("one down")
    lab.link(PEER, True)
    lab.dump("up")
    lab.delete("other", "10.1.0.0/16", extra=attr(rt.RTA_MULTIPATH, hop("10.0.0.3")))
    lab.delete("pair", "10.1.0.0/16", extra=attr(rt.RTA_MULTIPATH, pair))
    lab.dump("rest")


@case(privileged=True, marks=ROUTE)
def tables(world: World, log: Log) -> None:
    """Tables come with their first route and stay; dumps of one, and filtered."""
    lab = Lab(world, log, veth=True)
    for index in (LO, VETH, PEER):
        lab.link(index, True)
    lab.address("10.0.0.1/24", VETH)
    for table in (99, 1000, 1024, 253, 768):
        lab.new(f"in {table}", f"10.{table % 250}.0.0/16", via="10.0.0.2", table=table, proto=table % 50)
    lab.new("unreachable", "10.250.0.0/16", type=rt.RTN_UNREACHABLE, table=99)
    lab.new("default of table 99", via="10.0.0.2", table=99)
    lab.dump("all")
    lab.strict()
    for table in (99, 1000, 77, MAIN, LOCAL):
        lab.dump(f"table {table}", table=table if table < 256 else 0, extra=attr(rt.RTA_TABLE, u32(table)))
    lab.dump("link", dev=VETH)
    lab.dump("other link", dev=PEER)
    lab.dump("proto", proto=49)
    lab.dump("kernel", proto=2)
    lab.dump("type", type=rt.RTN_UNREACHABLE)
    lab.dump("broadcast of lo", type=rt.RTN_BROADCAST, dev=LO)
    lab.dump("cloned", rtm_flags=rt.RTM_F_CLONED)
    lab.dump("prefixes", rtm_flags=rt.RTM_F_PREFIX)
    lab.dump("any family", family=AF_UNSPEC, table=99)
    lab.delete("the only one", "10.0.0.0/16", via="10.0.0.2", table=1000)
    lab.dump("empty table", extra=attr(rt.RTA_TABLE, u32(1000)))
    lab.delete("in no table", "10.0.0.0/16", table=77)


@case(privileged=True, marks=ROUTE)
def lookups(world: World, log: Log) -> None:
    """RTM_GETROUTE: the route to an address, and why there is none."""
    lab = Lab(world, log, veth=True)
    lab.get("before", "10.0.0.1")
    for index in (LO, VETH, PEER):
        lab.link(index, True)
    lab.address("10.0.0.1/24", VETH)
    lab.address("10.0.0.2/24", VETH)
    lab.new("gateway", "10.1.0.0/16", via="10.0.0.9")
    lab.new("prefsrc", "10.2.0.0/16", via="10.0.0.9", prefsrc="10.0.0.2")
    for number, type in enumerate(
        (rt.RTN_BLACKHOLE, rt.RTN_UNREACHABLE, rt.RTN_PROHIBIT, rt.RTN_THROW), start=1
    ):
        lab.new(f"type {type}", f"10.1.{number}.0/24", type=type)
    lab.new("tos", "10.1.9.0/24", via="10.0.0.8", tos=0x10)
    lab.new("type local", "10.77.0.0/24", dev=VETH, type=rt.RTN_LOCAL, scope=HOST, table=LOCAL)
    match, table = rt.RTM_F_FIB_MATCH, rt.RTM_F_LOOKUP_TABLE
    mark, uid, port = attr(rt.RTA_MARK, u32(7)), attr(rt.RTA_UID, u32(1000)), attr(rt.RTA_DPORT, b"\0\x50")
    for label, to, more in (
        ("link", "10.0.0.77", {}),
        ("gateway", "10.1.0.1", {}),
        ("prefsrc", "10.2.0.1", {}),
        ("local", "10.0.0.1", {}),
        ("second local", "10.0.0.2", {}),
        ("loopback", "127.1.2.3", {}),
        ("broadcast", "10.0.0.255", {}),
        ("everyone", "255.255.255.255", {}),
        ("everyone over", "255.255.255.255", {"dev": VETH}),
        ("group", "224.0.0.1", {}),
        ("group over", "224.0.0.1", {"dev": VETH}),
        ("far group over", "239.0.0.1", {"dev": VETH}),
        ("nothing", "", {}),
        ("nothing over", "", {"dev": VETH}),
        ("zero net", "0.0.0.1", {}),
        ("blackhole", "10.1.1.1", {}),
        ("unreachable", "10.1.2.1", {}),
        ("prohibit", "10.1.3.1", {}),
        ("throw", "10.1.4.1", {}),
        ("nowhere", "11.0.0.1", {}),
        ("nowhere over", "11.0.0.1", {"dev": VETH}),
        ("nowhere over lo", "11.0.0.1", {"dev": LO}),
        ("over none", "10.1.0.1", {"dev": 99}),
        ("link over another", "10.0.0.77", {"dev": PEER}),
        ("local over", "10.0.0.1", {"dev": VETH}),
        ("local over another", "10.0.0.1", {"dev": PEER}),
        ("from", "10.1.0.1", {"source": "10.0.0.2"}),
        ("from another", "10.1.0.1", {"source": "10.0.0.3"}),
        ("from loopback", "10.1.0.1", {"source": "127.0.0.1"}),
        ("from zero", "10.1.0.1", {"source": "0.0.0.1"}),
        ("group from", "224.0.0.1", {"source": "10.0.0.2"}),
        ("group from another", "224.0.0.1", {"source": "10.0.0.3"}),
        ("local from", "10.0.0.2", {"source": "10.0.0.1"}),
        ("tos", "10.1.9.1", {"tos": 0x10}),
        ("no tos", "10.1.9.1", {}),
        ("mark", "10.1.0.1", {"extra": mark}),
        ("uid", "10.1.0.1", {"extra": uid}),
        ("port", "10.1.0.1", {"extra": port}),
        ("proto", "10.1.0.1", {"extra": attr(rt.RTA_IP_PROTO, b"\6")}),
        ("wrong proto", "10.1.0.1", {"extra": attr(rt.RTA_IP_PROTO, b"\7")}),
        ("icmpv6", "10.1.0.1", {"extra": attr(rt.RTA_IP_PROTO, b"\x3a")}),
        ("notify", "10.1.0.1", {"rtm_flags": rt.RTM_F_NOTIFY}),
        ("match", "10.1.0.1", {"rtm_flags": match}),
        ("match link", "10.0.0.77", {"rtm_flags": match}),
        ("match local", "10.0.0.1", {"rtm_flags": match}),
        ("match everyone", "255.255.255.255", {"rtm_flags": match}),
        ("match everyone over", "255.255.255.255", {"rtm_flags": match, "dev": VETH}),
        ("match nowhere over", "11.0.0.1", {"rtm_flags": match, "dev": VETH}),
        ("match nothing", "", {"rtm_flags": match}),
        ("match unreachable", "10.1.2.1", {"rtm_flags": match}),
        ("match tos", "10.1.9.1", {"rtm_flags": match, "tos": 0x10}),
        ("table", "10.1.0.1", {"rtm_flags": table}),
        ("table local", "10.0.0.1", {"rtm_flags": table}),
        ("table of type local", "10.77.0.1", {"rtm_flags": table}),
        ("table match", "10.0.0.1", {"rtm_flags": table | match}),
        ("table nowhere", "11.0.0.1", {"rtm_flags": table, "dev": VETH}),
    ):
        lab.get(label, to, **more)  # type: ignore[arg-type]


# -- IPv6 ------------------------------------------------------------------------------


@case(privileged=True, marks=ROUTE)
def loopback_routes6(world: World, log: Log) -> None:
    """The routes of ::1 come with `lo` and go with it."""
    lab = Lab(world, log, AF_INET6)
    for up in (True, False, True):
        lab.link(LO, up)
        lab.dump("all")
    lab.address("::1/128", LO, add=False)
    lab.dump("without address")


@case(privileged=True, marks=ROUTE)
def address_routes6(world: World, log: Log) -> None:
    """Routes of IPv6 addresses: prefix, host and multicast; peers, metrics, the last of a prefix."""
    lab = Lab(world, log, AF_INET6, veth=True)
    lab.link(LO, True)
    lab.address("2001:db8:9::1/64", VETH)
    lab.dump("while down")
    lab.link(PEER, True)
    lab.link(VETH, True)
    lab.dump("up")
    lab.address("2001:db8::1/64", VETH)
    lab.address("2001:db8::2/64", VETH)
    lab.address("2001:db8:1::1/128", VETH)
    lab.address("2001:db8:2::1/64", VETH, extra=attr(ia.IFA_RT_PRIORITY, u32(77)))
    lab.address("2001:db8:3::1/64", VETH, extra=attr(ia.IFA_FLAGS, u32(0x202)))
    lab.address("fe80::1/64", VETH)
    lab.address("2001:db8::3/64", PEER)
    lab.address("2001:db8:4::1/64", LO)
    lab.dump("all")
    for address in ("2001:db8::1/64", "2001:db8::2/64", "2001:db8:1::1/128", "2001:db8:3::1/64"):
        lab.address(address, VETH, add=False)
    lab.dump("fewer")
    lab.link(VETH, False)
    lab.dump("down")
    lab.link(VETH, True)
    lab.dump("up again")


@case(privileged=True, marks=ROUTE)
def routes_with_a_link6(world: World, log: Log) -> None:
    """IPv6 routes over a link that goes down, comes up and is deleted; those that are not over it stay."""
    lab = Lab(world, log, AF_INET6, veth=True)
    for index in (LO, VETH, PEER):
        lab.link(index, True)
    lab.address("2001:db8::1/64", VETH)
    lab.new("gateway", "2001:db8:1::/48", via="2001:db8::2")
    lab.new("device", "2001:db8:2::/48", dev=VETH)
    lab.new("default", via="fe80::99", dev=VETH)
    lab.new("blackhole", "2001:db8:3::/48", type=rt.RTN_BLACKHOLE)
    lab.dump("all")
    lab.link(VETH, False)
    lab.dump("down")
    lab.link(VETH, True)
    lab.dump("up")
    lab.link(LO, False)
    lab.dump("lo down")
    lab.ask("delete the link", rt.RTM_DELLINK, rt.IfInfoMsg(index=VETH).pack())
    lab.dump("gone")


@case(privileged=True, marks=ROUTE)
def routes_without_a_carrier6(world: World, log: Log) -> None:
    """RTNH_F_LINKDOWN of IPv6 routes, and none on routes to the host itself."""
    lab = Lab(world, log, AF_INET6, veth=True)
    lab.link(VETH, True)
    lab.address("2001:db8::1/64", VETH)
    lab.new("gateway", "2001:db8:1::/48", via="2001:db8::2")
    lab.new("onlink", "2001:db8:2::/48", via="2001:db8:77::2", dev=VETH, rtm_flags=rt.RTNH_F_ONLINK)
    lab.dump("no carrier")
    lab.get("gateway", "2001:db8:1::1")
    lab.get("gateway's route", "2001:db8:1::1", rtm_flags=rt.RTM_F_FIB_MATCH)


@case(privileged=True, marks=ROUTE)
def routes_refused6(world: World, log: Log) -> None:
    """RTM_NEWROUTE and RTM_DELROUTE of IPv6 that come to nothing."""
    lab = Lab(world, log, AF_INET6, veth=True)
    lab.link(LO, True)
    lab.link(VETH, True)
    lab.address("2001:db8::1/64", VETH)
    to = "2001:db8:1::/48"
    nexthops = rt.RtNextHop(28, index=VETH).pack() + attr(rt.RTA_GATEWAY, packed("2001:db8::2"))
    for label, more in (
        ("nothing", {}),
        ("no device", {"dev": 99}),
        ("link down", {"dev": PEER}),
        ("bits", {"dev": VETH, "length": 32}),
        ("length", {"dev": VETH, "length": 129}),
        ("short", {"dev": VETH, "extra": attr(rt.RTA_DST, bytes(5))}),
        ("scope", {"dev": VETH, "scope": 255}),
        ("tos", {"dev": VETH, "tos": 4}),
        ("unreachable gateway", {"via": "2001:db8:7::1"}),
        ("own gateway", {"via": "2001:db8::1"}),
        ("own gateway over", {"via": "2001:db8::1", "dev": VETH}),
        ("link-local without", {"via": "fe80::1"}),
        ("group", {"via": "ff02::1", "dev": VETH}),
        ("over another", {"via": "2001:db8::2", "dev": LO}),
        ("over lo", {"via": "fe80::2", "dev": LO}),
        ("any gateway", {"via": "::", "dev": VETH}),
        ("onlink without", {"via": "2001:db8:7::1", "rtm_flags": rt.RTNH_F_ONLINK}),
        ("onlink down", {"via": "2001:db8:7::1", "dev": PEER, "rtm_flags": rt.RTNH_F_ONLINK}),
        ("onlink reachable", {"via": "2001:db8::1", "dev": PEER, "rtm_flags": rt.RTNH_F_ONLINK}),
        ("prefsrc", {"dev": VETH, "prefsrc": "2001:db8::7"}),
        ("cloned", {"dev": VETH, "rtm_flags": rt.RTM_F_CLONED}),
        ("wrong type", {"dev": VETH, "type": 12}),
        ("nat", {"dev": VETH, "type": rt.RTN_NAT}),
        ("via", {"extra": attr(rt.RTA_VIA, b"\x0a\0" + packed("2001:db8::2"))}),
        ("no next hop", {"extra": attr(rt.RTA_NH_ID, u32(7))}),
        ("next hop and device", {"dev": VETH, "extra": attr(rt.RTA_NH_ID, u32(7))}),
        ("metric", {"dev": VETH, "extra": attr(8, attr(18, u32(1)))}),
        ("no next hops", {"extra": attr(rt.RTA_MULTIPATH, bytes(4))}),
        ("device in next hops", {"extra": attr(rt.RTA_MULTIPATH, rt.RtNextHop(8, index=VETH).pack())}),
        ("short gateway", {"dev": VETH, "extra": attr(rt.RTA_GATEWAY, bytes(4))}),
        ("next hops", {"extra": attr(rt.RTA_MULTIPATH, nexthops)}),
    ):
        lab.new(label, to, **more)  # type: ignore[arg-type]
        lab.delete(label, to, **more)  # type: ignore[arg-type]
    lab.ask("short header", NEW, b"\x0a\0\0\0")
    lab.delete("no table", to, table=78)
    lab.dump("what came of it")


@case(privileged=True, marks=ROUTE)
def route_flags6(world: World, log: Log) -> None:
    """NLM_F_CREATE, EXCL, REPLACE, APPEND and none of IPv6 routes; next hops that become siblings."""
    lab = Lab(world, log, AF_INET6, veth=True)
    for index in (LO, VETH, PEER):
        lab.link(index, True)
    lab.address("2001:db8::1/64", VETH)
    to, one, two, three = "2001:db8:1::/48", "2001:db8::2", "2001:db8::3", "2001:db8::4"
    lab.new("replace nothing", to, REPLACE, via=one)
    lab.new("replace nothing, create", to, CREATE | REPLACE, via=one)
    lab.new("again", to, CREATE | EXCL, via=one)
    lab.new("create again", to, CREATE, via=one)
    lab.new("metric", to, CREATE | EXCL, via=one, metric=5)
    lab.new("higher metric", to, CREATE | EXCL, via=two, metric=5000)
    lab.new("device", to, CREATE | APPEND, dev=VETH)
    lab.dump("before siblings")
    lab.new("sibling", to, CREATE | APPEND, via=two)
    lab.new("third", to, CREATE, via=three)
    lab.dump("siblings")
    lab.delete("third", to, via=three)
    lab.new("third again", to, 0, via=three)
    lab.new("replace", to, CREATE | REPLACE, via="2001:db8::5")
    lab.dump("replaced")
    lab.new("replace a device's", to, CREATE | REPLACE, dev=PEER)
    lab.new("type", "2001:db8:2::/48", type=rt.RTN_UNREACHABLE)
    lab.new("prohibit", "2001:db8:3::/48", type=rt.RTN_PROHIBIT, metric=3)
    lab.new("throw", "2001:db8:4::/48", type=rt.RTN_THROW, dev=VETH)
    lab.new("no type, no proto", "2001:db8:5::/48", type=0, proto=0, dev=VETH)
    lab.new("local", "2001:db8:6::/48", type=rt.RTN_LOCAL, dev=VETH, table=LOCAL)
    lab.new("pref", "2001:db8:7::/48", dev=VETH, extra=attr(rt.RTA_PREF, b"\1"))
    lab.new("prefsrc", "2001:db8:8::/48", dev=VETH, prefsrc="2001:db8::1")
    lab.new("metrics", "2001:db8:9::/48", dev=VETH, extra=attr(8, attr(2, u32(1300)) + attr(10, u32(9))))
    lab.new("over lo", "2001:db8:a::/48", dev=LO)
    lab.new("echo", "2001:db8:b::/48", CREATE | ECHO, dev=VETH)
    lab.new("table", "2001:db8:c::/48", dev=VETH, table=1000)
    lab.new("source", "2001:db8:d::/48", dev=VETH, source="2001:db8:77::/48")
    lab.new("unmasked", "2001:db8:e::7/48", dev=VETH)
    lab.dump("all")
    lab.delete("metric", to, metric=7)
    lab.delete("metric", to, metric=5)
    lab.delete("type is not compared", "2001:db8:2::/48", type=rt.RTN_BLACKHOLE)
    lab.delete("proto", "2001:db8:3::/48", proto=9)
    lab.delete("device", "2001:db8:3::/48", dev=VETH)
    lab.delete("any", "2001:db8:3::/48")
    lab.delete("source", "2001:db8:d::/48")
    lab.delete("source", "2001:db8:d::/48", source="2001:db8:77::/48")
    lab.dump("rest")
    lab.strict()
    for table in (99, 1000, MAIN, LOCAL):
        lab.dump(f"table {table}", extra=attr(rt.RTA_TABLE, u32(table)))
    lab.dump("link", dev=VETH)
    lab.dump("proto", proto=2)
    lab.dump("type", type=rt.RTN_LOCAL)
    lab.dump("cloned", rtm_flags=rt.RTM_F_CLONED)
    lab.dump("prefixes", rtm_flags=rt.RTM_F_PREFIX)


@case(privileged=True, marks=ROUTE)
def multipath6(world: World, log: Log) -> None:
    """RTA_MULTIPATH of IPv6: each next hop is a route; one message says so."""
    lab = Lab(world, log, AF_INET6, veth=True)
    for index in (LO, VETH, PEER):
        lab.link(index, True)
    lab.address("2001:db8::1/64", VETH)
    lab.address("2001:db8:5::1/64", PEER)

    def hop(via: str, dev: int = 0, hops: int = 0) -> bytes:
        return rt.RtNextHop(28, 0, hops, dev).pack() + attr(rt.RTA_GATEWAY, packed(via))

    to, pair = "2001:db8:1::/48", hop("2001:db8::2") + hop("2001:db8:5::2", PEER, 3)
    lab.new("pair", to, extra=attr(rt.RTA_MULTIPATH, pair))
    lab.new("again", to, extra=attr(rt.RTA_MULTIPATH, pair))
    lab.new("append", to, CREATE | APPEND, extra=attr(rt.RTA_MULTIPATH, hop("2001:db8::3")))
    lab.new("twice the same", "2001:db8:2::/48", extra=attr(rt.RTA_MULTIPATH, 2 * hop("2001:db8::3")))
    lab.dump("all")
    lab.link(PEER, False)
    lab.dump("one down")
    lab.link(PEER, True)
    lab.address("2001:db8:5::1/64", PEER)
    lab.dump("up")
    lab.new("replace", to, CREATE | REPLACE, extra=attr(rt.RTA_MULTIPATH, pair))
    lab.delete("one", to, extra=attr(rt.RTA_MULTIPATH, hop("2001:db8::2")))
    lab.dump("rest")
    lab.new("back", to, CREATE | APPEND, extra=attr(rt.RTA_MULTIPATH, hop("2001:db8::2")))
    lab.delete("all", to)
    lab.dump("none")


@case(privileged=True, marks=ROUTE)
def lookups6(world: World, log: Log) -> None:
    """RTM_GETROUTE of IPv6: the route to an address, and why there is none."""
    lab = Lab(world, log, AF_INET6, veth=True)
    lab.get("before", "2001:db8::1")
    for index in (LO, VETH, PEER):
        lab.link(index, True)
    lab.address("2001:db8::1/64", VETH)
    lab.address("fe80::1/64", VETH)
    lab.address("fe80::2/64", PEER)
    lab.new("gateway", "2001:db8:1::/48", via="2001:db8::9")
    lab.new("prefsrc", "2001:db8:2::/48", via="2001:db8::9", prefsrc="2001:db8::1")
    for number, type in enumerate(
        (rt.RTN_BLACKHOLE, rt.RTN_UNREACHABLE, rt.RTN_PROHIBIT, rt.RTN_THROW), start=1
    ):
        lab.new(f"type {type}", f"2001:db8:1:{number}::/64", type=type)
    lab.new("high metric", "2001:db8:1:9::/64", via="2001:db8::8", metric=2000)
    lab.new("low metric", "2001:db8:1:9::/64", via="2001:db8::7", metric=1000)
    match = rt.RTM_F_FIB_MATCH
    for label, to, more in (
        ("link", "2001:db8::77", {}),
        ("gateway", "2001:db8:1::1", {}),
        ("prefsrc", "2001:db8:2::1", {}),
        ("metric", "2001:db8:1:9::1", {}),
        ("local", "2001:db8::1", {}),
        ("loopback", "::1", {}),
        ("link-local", "fe80::77", {}),
        ("link-local over", "fe80::77", {"dev": PEER}),
        ("nothing", "", {}),
        ("blackhole", "2001:db8:1:1::1", {}),
        ("unreachable", "2001:db8:1:2::1", {}),
        ("prohibit", "2001:db8:1:3::1", {}),
        ("throw", "2001:db8:1:4::1", {}),
        ("nowhere", "2001:db9::1", {}),
        ("nowhere over", "2001:db9::1", {"dev": VETH}),
        ("over none", "2001:db8:1::1", {"dev": 99}),
        ("over another", "2001:db8:1::1", {"dev": PEER}),
        ("local over", "2001:db8::1", {"dev": VETH}),
        ("from", "2001:db8:1::1", {"source": "2001:db8::1"}),
        ("from another", "2001:db8:1::1", {"source": "2001:db8::5"}),
        ("mark", "2001:db8:1::1", {"extra": attr(rt.RTA_MARK, u32(7))}),
        ("wrong proto", "2001:db8:1::1", {"extra": attr(rt.RTA_IP_PROTO, b"\1")}),
        ("match", "2001:db8:1::1", {"rtm_flags": match}),
        ("match local", "2001:db8::1", {"rtm_flags": match}),
        ("match link", "2001:db8::77", {"rtm_flags": match}),
        ("match nowhere", "2001:db9::1", {"rtm_flags": match}),
        ("match unreachable", "2001:db8:1:2::1", {"rtm_flags": match}),
    ):
        lab.get(label, to, **more)  # type: ignore[arg-type]


@case(privileged=True, marks=ROUTE)
def lookups_by_neighbours(world: World, log: Log) -> None:
    """Which default route is taken depends on neighbours: their states, and the choice before."""
    for family, own, gateways, to in (
        (AF_INET, "10.0.0.1/24", ("10.0.0.2", "10.0.0.3", "10.0.0.4"), "8.8.8.8"),
        (AF_INET6, "2001:db8::1/64", ("2001:db8::2", "2001:db8::3", "2001:db8::4"), "2001:db9::1"),
    ):
        lab = Lab(world, log, family, portid=family, veth=family == AF_INET)
        for index in (LO, VETH, PEER):
            lab.link(index, True)
        lab.address(own, VETH)
        for number, gateway in enumerate(gateways):
            # of IPv6, equal routes with gateways are siblings, among which a hash chooses
            metric = 0 if family == AF_INET else 10 + number
            lab.new(f"via {gateway}", "", CREATE | APPEND, via=gateway, metric=metric)
        for place, state in ((0, 0x80), (1, 0x02), (0, 0x20), (1, 0x20), (0, 0x04), (2, 0x20), (0, 0x20)):
            body = nb.NdMsg(family, index=VETH, state=state).pack() + attr(
                nb.NDA_DST, packed(gateways[place])
            )
            if state != 0x20:
                body += attr(nb.NDA_LLADDR, b"\2\0\0\0\0\x09")
            lab.quietly(rt.RTM_NEWNEIGH, body, CREATE | REPLACE)
            for number in range(3):
                lab.get(f"{number} after {place} {state}", to)
            lab.get("its route", to, rtm_flags=rt.RTM_F_FIB_MATCH)


# -- rules ---------------------------------------------------------------------------------


def rule(family: int = AF_INET, *attributes: bytes, **header: int) -> bytes:
    """A fib_rule_hdr and its attributes."""
    fields = {"table": MAIN, "action": fr.FR_ACT_TO_TBL, **header}
    return FibRuleHdr(family, **fields).pack() + b"".join(attributes)


def number(type: int, value: int) -> bytes:
    return attr(type, u32(value))


PRIORITY, TABLE, MARK, MASK, GOTO = fr.FRA_PRIORITY, fr.FRA_TABLE, fr.FRA_FWMARK, fr.FRA_FWMASK, fr.FRA_GOTO


def change_rules(lab: Lab, family: int, dst: bytes, short: bytes) -> None:
    """Requests for rules that both families answer alike."""
    host = 8 * len(dst)
    steps = (
        ("priority", rule(family, number(PRIORITY, 100))),
        ("table", rule(family, number(PRIORITY, 100), number(TABLE, 1000), table=0)),
        ("no table", rule(family, number(PRIORITY, 101), table=0)),
        ("no priority", rule(family, table=99)),
        ("no priority again", rule(family, table=99)),
        ("destination", rule(family, number(PRIORITY, 102), attr(fr.FRA_DST, dst), dst_len=host)),
        ("source", rule(family, number(PRIORITY, 102), attr(fr.FRA_SRC, dst), src_len=host - 8)),
        ("no destination", rule(family, number(PRIORITY, 102), dst_len=8)),
        ("short destination", rule(family, number(PRIORITY, 102), attr(fr.FRA_DST, short), dst_len=8)),
        ("long source", rule(family, number(PRIORITY, 102), attr(fr.FRA_SRC, dst), src_len=host + 1)),
        ("link", rule(family, number(PRIORITY, 103), attr(fr.FRA_IIFNAME, b"lo\0"))),
        ("no link", rule(family, number(PRIORITY, 103), attr(fr.FRA_OIFNAME, b"eth7\0"))),
        ("long name", rule(family, number(PRIORITY, 103), attr(fr.FRA_OIFNAME, b"e" * 17))),
        ("mark", rule(family, number(PRIORITY, 104), number(MARK, 7))),
        ("mask", rule(family, number(PRIORITY, 104), number(MARK, 8), number(MASK, 15))),
        ("tos", rule(family, number(PRIORITY, 105), tos=0x10)),
        ("wrong tos", rule(family, number(PRIORITY, 105), tos=1)),
        ("high tos", rule(family, number(PRIORITY, 105), tos=0x80)),
        ("unreachable", rule(family, number(PRIORITY, 106), action=fr.FR_ACT_UNREACHABLE, table=0)),
        ("nop", rule(family, number(PRIORITY, 106), action=fr.FR_ACT_NOP, table=0)),
        ("odd action", rule(family, number(PRIORITY, 107), action=77)),
        ("inverted", rule(family, number(PRIORITY, 107), number(MARK, 9), flags=fr.FIB_RULE_INVERT)),
        ("suppress", rule(family, number(PRIORITY, 108), number(fr.FRA_SUPPRESS_PREFIXLEN, 0))),
        ("group", rule(family, number(PRIORITY, 108), number(fr.FRA_SUPPRESS_IFGROUP, 5))),
        ("users", rule(family, number(PRIORITY, 109), attr(fr.FRA_UID_RANGE, struct.pack("<II", 5, 9)))),
        ("no users", rule(family, number(PRIORITY, 109), attr(fr.FRA_UID_RANGE, struct.pack("<II", 9, 5)))),
        ("ports", rule(family, number(PRIORITY, 110), attr(fr.FRA_DPORT_RANGE, struct.pack("<HH", 1, 2)))),
        ("no ports", rule(family, number(PRIORITY, 110), attr(fr.FRA_SPORT_RANGE, struct.pack("<HH", 2, 1)))),
        ("protocol", rule(family, number(PRIORITY, 111), attr(fr.FRA_IP_PROTO, b"\6"))),
        ("origin", rule(family, number(PRIORITY, 112), attr(fr.FRA_PROTOCOL, b"\x11"))),
        ("goto", rule(family, number(PRIORITY, 113), number(GOTO, 120), action=fr.FR_ACT_GOTO)),
        ("backward", rule(family, number(PRIORITY, 113), number(GOTO, 100), action=fr.FR_ACT_GOTO)),
        ("no target", rule(family, number(PRIORITY, 113), action=fr.FR_ACT_GOTO)),
        ("target", rule(family, number(PRIORITY, 113), number(GOTO, 120))),
        ("at the target", rule(family, number(PRIORITY, 120))),
        ("short priority", rule(family, attr(PRIORITY, b"\1"))),
        ("l3mdev", rule(family, number(PRIORITY, 114), attr(fr.FRA_L3MDEV, b"\2"))),
        ("dscp", rule(family, number(PRIORITY, 115), attr(fr.FRA_DSCP, b"\5"))),
    )
    for label, body in steps:
        lab.ask(f"new {label}", rt.RTM_NEWRULE, body, ACK | CREATE | EXCL)
    for label, body in steps[:2]:
        lab.ask(f"again {label}", rt.RTM_NEWRULE, body, ACK | CREATE | EXCL)
        lab.ask(f"twice {label}", rt.RTM_NEWRULE, body, ACK | CREATE)
    lab.ask("echo", rt.RTM_NEWRULE, rule(family, number(PRIORITY, 200)), ACK | CREATE | ECHO)
    lab.ask("dump", rt.RTM_GETRULE, FibRuleHdr(family).pack(), DUMP)
    for label, body in (
        *steps,
        ("any", rule(family, table=0, action=0)),
        ("none", rule(family, number(PRIORITY, 5))),
    ):
        lab.ask(f"del {label}", rt.RTM_DELRULE, body)
    lab.ask("dump again", rt.RTM_GETRULE, FibRuleHdr(family).pack(), DUMP)


@case(privileged=True, marks=ROUTE)
def rules_change(world: World, log: Log) -> None:
    """RTM_NEWRULE and RTM_DELRULE of IPv4."""
    lab = Lab(world, log)
    change_rules(lab, AF_INET, packed("10.0.0.1"), b"\x0a")
    lab.ask("short", rt.RTM_NEWRULE, b"\2\0\0\0")
    lab.ask("no family", rt.RTM_NEWRULE, rule(200))
    lab.dump("tables")


@case(privileged=True, marks=ROUTE)
def rules_change6(world: World, log: Log) -> None:
    """RTM_NEWRULE and RTM_DELRULE of IPv6."""
    change_rules(Lab(world, log, AF_INET6), AF_INET6, packed("2001:db8::1"), b"\x0a")


@case(privileged=True, marks=ROUTE)
def rules_follow_links(world: World, log: Log) -> None:
    """A rule of a link that is not there is detached, until there is one of that name."""
    lab = Lab(world, log)
    body = rule(AF_INET, number(PRIORITY, 103), attr(fr.FRA_IIFNAME, b"v0\0"), attr(fr.FRA_OIFNAME, b"p0\0"))
    lab.ask("new", rt.RTM_NEWRULE, body, ACK | CREATE)
    lab.make_veth()
    lab.ask("dump with", rt.RTM_GETRULE, FibRuleHdr(AF_INET).pack(), DUMP)
    lab.quietly(rt.RTM_NEWLINK, rt.IfInfoMsg(index=VETH).pack() + attr(il.IFLA_IFNAME, b"v7\0"))
    lab.ask("dump renamed", rt.RTM_GETRULE, FibRuleHdr(AF_INET).pack(), DUMP)
    lab.quietly(rt.RTM_DELLINK, rt.IfInfoMsg(index=VETH).pack())
    lab.ask("dump without", rt.RTM_GETRULE, FibRuleHdr(AF_INET).pack(), DUMP)


@case(privileged=True, marks=ROUTE)
def lookups_by_rules(world: World, log: Log) -> None:
    """RTM_GETROUTE follows the rules: mark, source, link, user, suppressed prefixes, actions, tables."""
    lab = Lab(world, log, veth=True)
    for index in (LO, VETH, PEER):
        lab.link(index, True)
    lab.address("10.0.0.1/24", VETH)
    lab.address("10.0.0.2/24", VETH)
    lab.new("default", via="10.0.0.9")
    lab.new("default of table 99", via="10.0.0.8", table=99)
    lab.new("throw of table 98", type=rt.RTN_THROW, table=98)
    lab.new("in table 253", "10.253.0.0/16", via="10.0.0.7", table=253)
    table = rt.RTM_F_LOOKUP_TABLE
    lab.get("local before", "10.0.0.1", rtm_flags=table)
    cases = (
        (
            "mark",
            rule(AF_INET, number(PRIORITY, 10), number(MARK, 7), table=99),
            {"extra": attr(rt.RTA_MARK, u32(7))},
        ),
        (
            "source",
            rule(AF_INET, number(PRIORITY, 11), attr(fr.FRA_SRC, packed("10.0.0.2")), src_len=32, table=99),
            {"source": "10.0.0.2"},
        ),
        ("link", rule(AF_INET, number(PRIORITY, 12), attr(fr.FRA_OIFNAME, b"v0\0"), table=99), {"dev": VETH}),
        (
            "user",
            rule(AF_INET, number(PRIORITY, 13), attr(fr.FRA_UID_RANGE, struct.pack("<II", 5, 9)), table=99),
            {"extra": attr(rt.RTA_UID, u32(7))},
        ),
        (
            "port",
            rule(
                AF_INET, number(PRIORITY, 14), attr(fr.FRA_DPORT_RANGE, struct.pack("<HH", 80, 90)), table=99
            ),
            {"extra": attr(rt.RTA_DPORT, b"\0\x50")},
        ),
        (
            "protocol",
            rule(AF_INET, number(PRIORITY, 15), attr(fr.FRA_IP_PROTO, b"\6"), table=99),
            {"extra": attr(rt.RTA_IP_PROTO, b"\6")},
        ),
        ("throw", rule(AF_INET, number(PRIORITY, 16), table=98), {}),
        (
            "unreachable",
            rule(AF_INET, number(PRIORITY, 17), number(MARK, 3), action=fr.FR_ACT_UNREACHABLE),
            {"extra": attr(rt.RTA_MARK, u32(3))},
        ),
        (
            "prohibit",
            rule(AF_INET, number(PRIORITY, 18), number(MARK, 4), action=fr.FR_ACT_PROHIBIT),
            {"extra": attr(rt.RTA_MARK, u32(4))},
        ),
        (
            "blackhole",
            rule(AF_INET, number(PRIORITY, 19), number(MARK, 5), action=fr.FR_ACT_BLACKHOLE),
            {"extra": attr(rt.RTA_MARK, u32(5))},
        ),
        ("no such table", rule(AF_INET, number(PRIORITY, 20), table=97), {}),
        ("suppress", rule(AF_INET, number(PRIORITY, 21), number(fr.FRA_SUPPRESS_PREFIXLEN, 0)), {}),
        ("default of 99", rule(AF_INET, number(PRIORITY, 22), table=99), {}),
    )
    for label, body, more in cases:
        lab.ask(f"new {label}", rt.RTM_NEWRULE, body, ACK | CREATE)
        lab.get(label, "10.9.9.9", rtm_flags=table, **more)  # type: ignore[arg-type]
        lab.get(f"{label}, otherwise", "10.9.9.9", rtm_flags=table)
    for to in ("10.0.0.1", "10.0.0.77", "10.253.0.1"):
        lab.get(to, to, rtm_flags=table)
    lab.dump("all")
    lab.ask("del local", rt.RTM_DELRULE, rule(AF_INET, number(PRIORITY, 0), table=LOCAL))
    lab.get("local without its rule", "10.0.0.1", rtm_flags=table)


@case(privileged=True, marks=FILES)
def route_files(world: World, log: Log) -> None:
    """/proc/net/route and /proc/net/ipv6_route."""
    lab = Lab(world, log, veth=True)
    log("empty", world.read_file("/proc/net/route"))
    for index in (LO, VETH, PEER):
        lab.link(index, True, told=False)
    lab.address("10.0.0.1/24", VETH)
    lab.address("2001:db8::1/64", VETH)
    lab.new("gateway", "10.1.0.0/16", via="10.0.0.2", metric=7)
    lab.new(
        "default", via="10.0.0.254", extra=attr(8, attr(8, u32(1400)) + attr(3, u32(5)) + attr(4, u32(80)))
    )
    lab.new("unreachable", "10.2.0.0/16", type=rt.RTN_UNREACHABLE)
    lab.new("blackhole", "10.3.0.0/24", type=rt.RTN_BLACKHOLE)
    lab.new("host", "10.4.0.1", dev=VETH, scope=LINK)
    lab.new("in another table", "10.5.0.0/16", via="10.0.0.2", table=99)
    lab.new("IPv6 gateway", "2001:db8:1::/48", via="2001:db8::2")
    lab.new("IPv6 unreachable", "2001:db8:2::/48", family=AF_INET6, type=rt.RTN_UNREACHABLE)
    log("routes", world.read_file("/proc/net/route"))
    lines = world.read_file("/proc/net/ipv6_route").splitlines()
    log("IPv6 routes, without references", [line[:114] + line[123:] for line in lines])


def shown(datagram: bytes) -> list[int | str]:
    """The second group of each destination in a dump, DONE at the end."""
    found: list[int | str] = []
    for header, payload in wire.messages(datagram):
        if header[1] != NEW:
            found.append("DONE")
        else:
            dst = dict(wire.attrs(payload[rt.RtMsg.SIZE :])).get(rt.RTA_DST, bytes(4))
            found.append(dst[1] if len(dst) == len(TEN) else dst[5])
    return found


TEN = packed("10.0.0.0")


def dump_and_change(world: World, log: Log, family: int, prefix_of: str) -> None:
    """Add and delete routes between the datagrams of a dump."""
    lab = Lab(world, log, family)

    def change(type: int, number: int) -> None:
        to = prefix_of.format(number, number)
        lab.quietly(type, route(to, type=rt.RTN_BLACKHOLE), CREATE | EXCL if type == NEW else 0)

    for number in range(20, 220):
        change(NEW, number)
    changes = {
        "nothing": (),
        "add ahead": ((NEW, 250),),
        "add behind": ((NEW, 10),),
        "delete ahead": ((DEL, 250), (DEL, 200)),
        "delete behind": ((DEL, 10), (DEL, 21)),
        "delete and add": ((DEL, 22), (NEW, 22)),
    }
    for label, steps in changes.items():
        dumper = netlink(world, wire.ROUTE)
        dumper.sendto(nlmsg(GET, REQUEST | DUMP, route(family=family), seq=1), (0, 0))
        first = dumper.recv(4096)
        for step in steps:
            change(*step)
        rest = []
        while rest[-1:] != ["DONE"]:
            rest += shown(dumper.recv(4096))
        log(label, [f"first {len(shown(first))}", [str(each) for each in rest]])


@case(privileged=True, marks=ROUTE)
def dumps_of_changing_routes(world: World, log: Log) -> None:
    """A dump of IPv4 goes on after the last address that it has shown."""
    dump_and_change(world, log, AF_INET, "10.{}.0.0/16")


@case(privileged=True, marks=ROUTE)
def dumps_of_changing_routes6(world: World, log: Log) -> None:
    """A dump of IPv6 skips as many prefixes as it has shown once a route was added; it may repeat some."""
    dump_and_change(world, log, AF_INET6, "2001:db8:{0:x}::/48")


@case(privileged=True, marks=ROUTE)
def rules_of_ports(world: World, log: Log) -> None:
    """One port is a range with a mask; RTM_F_FIB_MATCH and a source choose among rules of ports."""
    lab = Lab(world, log)
    for label, body in (
        ("one", rule(AF_INET, number(PRIORITY, 9), attr(fr.FRA_DPORT_RANGE, struct.pack("<HH", 80, 80)))),
        ("some", rule(AF_INET, number(PRIORITY, 9), attr(fr.FRA_SPORT_RANGE, struct.pack("<HH", 80, 90)))),
        ("0", rule(AF_INET, number(PRIORITY, 9), attr(fr.FRA_SPORT_RANGE, struct.pack("<HH", 0, 90)))),
        ("high", rule(AF_INET, number(PRIORITY, 9), attr(fr.FRA_SPORT_RANGE, struct.pack("<HH", 1, 65535)))),
        ("realm", rule(AF_INET, number(PRIORITY, 9), number(fr.FRA_FLOW, 7))),
        ("both", rule(AF_INET, number(PRIORITY, 9), attr(fr.FRA_DSCP, b"\5"), tos=0x10)),
        ("dscp", rule(AF_INET, number(PRIORITY, 9), attr(fr.FRA_DSCP, b"\x40"))),
        ("id", rule(AF_INET, number(PRIORITY, 9), attr(fr.FRA_DPORT_RANGE, struct.pack("<HH", 80, 80)))),
    ):
        lab.ask(f"new {label}", rt.RTM_NEWRULE, body, ACK | CREATE | EXCL)
    lab.ask("dump", rt.RTM_GETRULE, FibRuleHdr(AF_INET).pack(), DUMP)
