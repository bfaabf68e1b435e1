"""NETLINK_ROUTE: requests for addresses, routes, neighbours and nsids in a new namespace."""

from __future__ import annotations

import struct

from simkernel.uapi import fib_rules as fr
from simkernel.uapi import if_addr as ia
from simkernel.uapi import neighbour as nb
from simkernel.uapi import net_namespace as ns
from simkernel.uapi import rtnetlink as rt
from simkernel.uapi.fib_rules import FibRuleHdr
from simkernel.uapi.netlink import NLM_F_CREATE
from simkernel.uapi.socket import AF_INET, AF_INET6, AF_UNSPEC
from tests.conformance import wire
from tests.conformance.case import case, netlink
from tests.conformance.log import Log
from tests.conformance.wire import (
    ACK,
    ADD_MEMBERSHIP,
    CAP_ACK,
    DUMP,
    ECHO,
    EXT_ACK,
    GET_STRICT_CHK,
    NESTED,
    REQUEST,
    SOL_NETLINK,
    attr,
    nlmsg,
    u16,
    u32,
)
from tests.conformance.world import Socket, World

A, B = 0x53000001, 0x53000002
ROUTE = ("route",)
FAMILIES = {"any": AF_UNSPEC, "ipv4": AF_INET, "ipv6": AF_INET6, "none": 200}
TEN = bytes((10, 0, 0, 1))
"""The IPv4 address 10.0.0.1."""
DOC = bytes.fromhex("20010db8") + bytes(12)
"""The IPv6 address 2001:db8::."""
NOWHERE = 7
"""An nsid that no namespace has."""
NO_PROCESS = 2**30


def opened(world: World, *options: int) -> Socket:
    sock = netlink(world, wire.ROUTE, bind=(A, 0))
    for option in (EXT_ACK, *options):
        sock.setsockopt(SOL_NETLINK, option, 1)
    return sock


def address(family: int, index: int = 0, attrs: bytes = b"", prefixlen: int = 0, scope: int = 0) -> bytes:
    return rt.IfAddrMsg(family, prefixlen, 0, scope, index).pack() + attrs


def neighbour(family: int, index: int = 0, attrs: bytes = b"", flags: int = 0, state: int = 0) -> bytes:
    return nb.NdMsg(family, index=index, state=state, flags=flags).pack() + attrs


# -- addresses ------------------------------------------------------------------


@case(marks=ROUTE)
def no_addresses(world: World, log: Log) -> None:
    """RTM_GETADDR returns no address while `lo` is down. Without strict checks, the kernel ignores the fields
    of the request's header.
    """
    s = opened(world)
    for name, family in FAMILIES.items():
        log.ask(name, s, nlmsg(rt.RTM_GETADDR, REQUEST | DUMP, address(family, 1), seq=1))
    log.ask("short", s, nlmsg(rt.RTM_GETADDR, REQUEST | DUMP, b"\2", seq=2))
    log.ask("odd", s, nlmsg(rt.RTM_GETADDR, REQUEST | DUMP, address(2, 999, b"xyz", 24, 9), seq=3))


@case(marks=ROUTE)
def addresses_strictly(world: World, log: Log) -> None:
    """Strict checks of RTM_GETADDR. A dump of one link's addresses has NLM_F_DUMP_FILTERED."""
    s = opened(world, GET_STRICT_CHK)
    for name, family in FAMILIES.items():
        for label, body in (
            ("nothing", address(family)),
            ("short", bytes((family, 0, 0, 0))),
            ("prefix", address(family, prefixlen=24)),
            ("scope", address(family, scope=1)),
            ("link", address(family, 1)),
            ("no link", address(family, 999)),
            ("label", address(family, 0, attr(ia.IFA_LABEL, b"lo\0"))),
            ("address", address(family, 0, attr(ia.IFA_ADDRESS, DOC[: 4 if family == AF_INET else 16]))),
            ("nowhere", address(family, 0, attr(ia.IFA_TARGET_NETNSID, u32(NOWHERE)))),
            ("leftover", address(family, 0, b"xyz")),
            ("no link of nowhere", address(family, 999, attr(ia.IFA_TARGET_NETNSID, u32(NOWHERE)))),
        ):
            log.ask(f"{name} {label}", s, nlmsg(rt.RTM_GETADDR, REQUEST | DUMP, body, seq=1))


@case(marks=ROUTE)
def one_address(world: World, log: Log) -> None:
    """A request for a single address (RTM_GETADDR without NLM_F_DUMP) is supported only for IPv6."""
    s = opened(world)
    for strict in (0, 1):
        s.setsockopt(SOL_NETLINK, GET_STRICT_CHK, strict)
        for label, body in (
            ("ipv4", address(AF_INET, 1, attr(ia.IFA_ADDRESS, TEN))),
            ("ipv6", address(AF_INET6, 1, attr(ia.IFA_ADDRESS, DOC))),
            ("without", address(AF_INET6, 1)),
            ("too short", address(AF_INET6, 1, attr(ia.IFA_LOCAL, DOC[:15]))),
            ("no link", address(AF_INET6, 999, attr(ia.IFA_LOCAL, DOC))),
            ("nowhere", address(AF_INET6, 0, attr(ia.IFA_TARGET_NETNSID, u32(NOWHERE)))),
            ("label", address(AF_INET6, 0, attr(ia.IFA_LABEL, b"x\0") + attr(ia.IFA_LOCAL, DOC))),
            ("prefix", address(AF_INET6, 0, attr(ia.IFA_LOCAL, DOC), prefixlen=64)),
            ("short", b"\x0a\0\0\0"),
        ):
            log.ask(f"{label} {strict}", s, nlmsg(rt.RTM_GETADDR, REQUEST | ACK, body, seq=1))


@case(privileged=True, marks=ROUTE)
def addresses_refused(world: World, log: Log) -> None:
    """Errors of RTM_NEWADDR and RTM_DELADDR."""
    s = opened(world, CAP_ACK)
    expired = attr(ia.IFA_CACHEINFO, struct.pack("<4I", 5, 4, 0, 0))
    for label, body in (
        ("ipv4", address(AF_INET, 999, attr(ia.IFA_LOCAL, TEN))),
        ("ipv4 without", address(AF_INET, 1)),
        ("ipv4 0.0.0.0", address(AF_INET, 999, attr(ia.IFA_LOCAL, bytes(4)))),
        ("ipv4 prefix", address(AF_INET, 999, attr(ia.IFA_LOCAL, TEN), prefixlen=33)),
        ("ipv4 expired", address(AF_INET, 999, attr(ia.IFA_LOCAL, TEN) + expired)),
        ("ipv4 long label", address(AF_INET, 1, attr(ia.IFA_LABEL, b"l" * 16))),
        ("ipv6", address(AF_INET6, 999, attr(ia.IFA_LOCAL, DOC))),
        ("ipv6 without", address(AF_INET6, 1)),
        ("ipv6 prefix", address(AF_INET6, 999, attr(ia.IFA_LOCAL, DOC), prefixlen=129)),
        ("ipv6 expired", address(AF_INET6, 999, attr(ia.IFA_LOCAL, DOC) + expired)),
        ("no family", address(AF_UNSPEC, 1)),
        ("short", b"\2\0\0\0"),
    ):
        log.ask(f"new {label}", s, nlmsg(rt.RTM_NEWADDR, REQUEST | ACK | NLM_F_CREATE, body, seq=1))
        log.ask(f"del {label}", s, nlmsg(rt.RTM_DELADDR, REQUEST | ACK, body, seq=2))
    for family, local in ((AF_INET, TEN), (AF_INET6, DOC)):
        body = address(family, 1, attr(ia.IFA_LOCAL, local))
        log.ask(f"del from lo {family}", s, nlmsg(rt.RTM_DELADDR, REQUEST | ACK, body, seq=3))


# -- routes ---------------------------------------------------------------------


@case(marks=ROUTE)
def no_routes(world: World, log: Log) -> None:
    """A dump with RTM_GETROUTE returns no route while `lo` is down. Without strict checks, the kernel ignores
    the fields of the request's header.
    """
    s = opened(world)
    for name, family in (FAMILIES | {"ipmr": rt.RTNL_FAMILY_IPMR, "ip6mr": rt.RTNL_FAMILY_IP6MR}).items():
        log.ask(name, s, nlmsg(rt.RTM_GETROUTE, REQUEST | DUMP, rt.RtMsg(family).pack(), seq=1))
        body = rt.RtMsg(family, 24, tos=1, table=99, flags=1).pack() + b"xyz"
        log.ask(f"{name} odd", s, nlmsg(rt.RTM_GETROUTE, REQUEST | DUMP, body, seq=2))


@case(marks=ROUTE)
def routes_strictly(world: World, log: Log) -> None:
    """Strict checks of RTM_GETROUTE dumps, NLM_F_DUMP_FILTERED, and dumps of empty tables."""
    s = opened(world, GET_STRICT_CHK)
    multicast = {"ipmr": rt.RTNL_FAMILY_IPMR, "ip6mr": rt.RTNL_FAMILY_IP6MR}
    for name, family in (FAMILIES | multicast).items():
        for label, body in (
            ("nothing", rt.RtMsg(family).pack()),
            ("short", rt.RtMsg(family).pack()[:4]),
            ("length", rt.RtMsg(family, dst_len=24).pack()),
            ("scope", rt.RtMsg(family, scope=1).pack()),
            ("flags", rt.RtMsg(family, flags=rt.RTM_F_NOTIFY).pack()),
            ("cloned", rt.RtMsg(family, flags=rt.RTM_F_CLONED).pack()),
            ("prefixes of a table", rt.RtMsg(family, table=99, flags=rt.RTM_F_PREFIX).pack()),
            ("protocol", rt.RtMsg(family, protocol=4).pack()),
            ("default", rt.RtMsg(family, table=rt.RT_TABLE_DEFAULT).pack()),
            ("main", rt.RtMsg(family, table=rt.RT_TABLE_MAIN).pack()),
            ("table", rt.RtMsg(family).pack() + attr(rt.RTA_TABLE, u32(1000))),
            ("link", rt.RtMsg(family).pack() + attr(rt.RTA_OIF, u32(1))),
            ("no link", rt.RtMsg(family).pack() + attr(rt.RTA_OIF, u32(999))),
            ("gateway", rt.RtMsg(family).pack() + attr(rt.RTA_GATEWAY, TEN)),
        ):
            log.ask(f"{name} {label}", s, nlmsg(rt.RTM_GETROUTE, REQUEST | DUMP, body, seq=1))


@case(marks=ROUTE)
def no_way(world: World, log: Log) -> None:
    """RTM_GETROUTE lookups for which no route exists, and lookups with invalid addresses."""
    s = opened(world)
    group = bytes((224, 0, 0, 1))
    for label, body in (
        ("to", rt.RtMsg(AF_INET, 32).pack() + attr(rt.RTA_DST, TEN)),
        ("from", rt.RtMsg(AF_INET, 32, 32).pack() + attr(rt.RTA_DST, TEN) + attr(rt.RTA_SRC, TEN)),
        ("from a group", rt.RtMsg(AF_INET).pack() + attr(rt.RTA_DST, TEN) + attr(rt.RTA_SRC, group)),
        ("over lo", rt.RtMsg(AF_INET).pack() + attr(rt.RTA_DST, TEN) + attr(rt.RTA_OIF, u32(1))),
        ("over no link", rt.RtMsg(AF_INET).pack() + attr(rt.RTA_OIF, u32(999))),
        ("short", rt.RtMsg(AF_INET).pack()[:8]),
        ("ipv6", rt.RtMsg(AF_INET6, 128).pack() + attr(rt.RTA_DST, DOC)),
        ("ipv6 too short", rt.RtMsg(AF_INET6, 128).pack() + attr(rt.RTA_DST, DOC[:15])),
        ("ipv6 by lo", rt.RtMsg(AF_INET6).pack() + attr(rt.RTA_IIF, u32(1))),
        ("ipv6 by no link", rt.RtMsg(AF_INET6).pack() + attr(rt.RTA_IIF, u32(999))),
        ("ipv6 over no link", rt.RtMsg(AF_INET6).pack() + attr(rt.RTA_OIF, u32(999))),
        ("ipv6 short", rt.RtMsg(AF_INET6).pack()[:8]),
        ("no family", rt.RtMsg().pack()),
    ):
        log.ask(label, s, nlmsg(rt.RTM_GETROUTE, REQUEST, body, seq=1))


@case(marks=ROUTE)
def way_strictly(world: World, log: Log) -> None:
    """Strict checks of RTM_GETROUTE lookups. IPv4 and IPv6 have different extack messages."""
    s = opened(world, GET_STRICT_CHK)
    for name, family, bits, to in (("ipv4", AF_INET, 32, TEN), ("ipv6", AF_INET6, 128, DOC)):
        for label, body in (
            ("length", rt.RtMsg(family, 24).pack() + attr(rt.RTA_DST, to)),
            ("no length", rt.RtMsg(family).pack() + attr(rt.RTA_DST, to)),
            ("no length of the source", rt.RtMsg(family, bits).pack() + attr(rt.RTA_SRC, to)),
            ("table", rt.RtMsg(family, bits, table=254).pack() + attr(rt.RTA_DST, to)),
            ("flags", rt.RtMsg(family, bits, flags=rt.RTM_F_CLONED).pack() + attr(rt.RTA_DST, to)),
            ("lookup", rt.RtMsg(family, bits, flags=rt.RTM_F_LOOKUP_TABLE).pack() + attr(rt.RTA_DST, to)),
            ("match", rt.RtMsg(family, bits, flags=rt.RTM_F_FIB_MATCH).pack() + attr(rt.RTA_DST, to)),
            ("table attribute", rt.RtMsg(family).pack() + attr(rt.RTA_TABLE, u32(254))),
            ("flow label", rt.RtMsg(family).pack() + attr(rt.RTA_FLOWLABEL, b"\0\x10\0\0")),
            ("port", rt.RtMsg(family, bits).pack() + attr(rt.RTA_DST, to) + attr(rt.RTA_DPORT, u16(1))),
            ("short mark", rt.RtMsg(family).pack() + attr(rt.RTA_MARK, u16(1))),
        ):
            log.ask(f"{name} {label}", s, nlmsg(rt.RTM_GETROUTE, REQUEST, body, seq=1))


@case(marks=ROUTE)
def rules(world: World, log: Log) -> None:
    """RTM_GETRULE dumps the rules of a new namespace."""
    s = opened(world)
    multicast = {"ipmr": rt.RTNL_FAMILY_IPMR, "ip6mr": rt.RTNL_FAMILY_IP6MR}
    for strict in (0, 1):
        s.setsockopt(SOL_NETLINK, GET_STRICT_CHK, strict)
        for name, family in (FAMILIES | multicast).items():
            body = FibRuleHdr(family).pack()
            log.ask(f"{name} {strict}", s, nlmsg(rt.RTM_GETRULE, REQUEST | DUMP, body, seq=1))
        for label, body in (
            ("short", b"\2\0\0\0"),
            ("table", FibRuleHdr(AF_INET, table=254).pack()),
            ("flags", FibRuleHdr(AF_INET, flags=1).pack()),
            ("attribute", FibRuleHdr(AF_INET).pack() + attr(fr.FRA_TABLE, u32(254))),
            ("leftover", FibRuleHdr(AF_INET).pack() + b"x"),
        ):
            log.ask(f"{label} {strict}", s, nlmsg(rt.RTM_GETRULE, REQUEST | DUMP, body, seq=2))
    log.ask("one", s, nlmsg(rt.RTM_GETRULE, REQUEST, FibRuleHdr(AF_INET).pack(), seq=3))


# -- neighbours -----------------------------------------------------------------


@case(marks=ROUTE)
def no_neighbours(world: World, log: Log) -> None:
    """RTM_GETNEIGH dumps without neighbours, with and without strict checks."""
    s = opened(world)
    for strict in (0, 1):
        s.setsockopt(SOL_NETLINK, GET_STRICT_CHK, strict)
        for label, body in (
            ("any", neighbour(AF_UNSPEC)),
            ("ipv4", neighbour(AF_INET)),
            ("none", neighbour(200)),
            ("proxies", neighbour(AF_INET6, flags=nb.NTF_PROXY)),
            ("short", b"\2\0\0\0"),
            ("header", neighbour(AF_INET, 1)),
            ("flags", neighbour(AF_INET, flags=1)),
            ("link", neighbour(AF_INET, 0, attr(nb.NDA_IFINDEX, u32(999)))),
            ("address", neighbour(AF_INET, 0, attr(nb.NDA_DST, TEN))),
            ("leftover", neighbour(AF_INET, 0, b"xyz")),
        ):
            log.ask(f"{label} {strict}", s, nlmsg(rt.RTM_GETNEIGH, REQUEST | DUMP, body, seq=1))


@case(marks=ROUTE)
def one_neighbour(world: World, log: Log) -> None:
    """The kernel always checks RTM_GETNEIGH for a single neighbour strictly. The case shows the order of the
    checks.
    """
    s = opened(world, CAP_ACK)
    to = attr(nb.NDA_DST, TEN)
    for label, body in (
        ("on lo", neighbour(AF_INET, 1, to)),
        ("on no link", neighbour(AF_INET, 999, to)),
        ("nowhere", neighbour(AF_INET, 0, to)),
        ("proxy", neighbour(AF_INET, 0, to, nb.NTF_PROXY)),
        ("nobody", neighbour(AF_INET, 1)),
        ("too short", neighbour(AF_INET, 1, attr(nb.NDA_DST, TEN[:3]))),
        ("of no family", neighbour(200, 1, to)),
        ("with a link address", neighbour(AF_INET, 1, to + attr(nb.NDA_LLADDR, bytes(6)))),
        ("a link address", neighbour(AF_INET, 1, attr(nb.NDA_LLADDR, bytes(6)))),
        ("state", neighbour(AF_INET, 1, to, state=2)),
        ("flags", neighbour(AF_INET, 1, to, 1)),
        ("leftover", neighbour(AF_INET, 1, to + b"xyz")),
        ("short", b"\2\0\0\0"),
    ):
        log.ask(label, s, nlmsg(rt.RTM_GETNEIGH, REQUEST, body, seq=1))


@case(privileged=True, marks=ROUTE)
def neighbours_refused(world: World, log: Log) -> None:
    """Errors of RTM_NEWNEIGH and RTM_DELNEIGH."""
    s = opened(world, CAP_ACK)
    to = attr(nb.NDA_DST, TEN)
    for label, body in (
        ("on lo", neighbour(AF_INET, 1, to)),
        ("on no link", neighbour(AF_INET, 999, to)),
        ("nowhere", neighbour(AF_INET, 0, to)),
        ("nobody", neighbour(AF_INET, 1)),
        ("too short", neighbour(AF_INET, 1, attr(nb.NDA_DST, TEN[:3]))),
        ("too long", neighbour(AF_INET, 1, attr(nb.NDA_DST, bytes(33)))),
        ("of no family", neighbour(200, 1, to)),
        ("short link address", neighbour(AF_INET, 1, to + attr(nb.NDA_LLADDR, bytes(5)))),
        ("flags that are not", neighbour(AF_INET, 1, to + attr(nb.NDA_FLAGS_EXT, u32(2)))),
        ("short flags", neighbour(AF_INET, 1, to + attr(nb.NDA_FLAGS_EXT, u16(1)))),
        ("marked as a nest", neighbour(AF_INET, 1, attr(nb.NDA_DST | NESTED, TEN))),
        ("short", b"\2\0\0\0"),
    ):
        log.ask(f"new {label}", s, nlmsg(rt.RTM_NEWNEIGH, REQUEST | ACK, body, seq=1))
        log.ask(f"del {label}", s, nlmsg(rt.RTM_DELNEIGH, REQUEST | ACK, body, seq=2))


# -- namespace ids --------------------------------------------------------------


@case(marks=ROUTE)
def no_numbers(world: World, log: Log) -> None:
    """Replies and errors of RTM_GETNSID in a namespace without nsids."""
    s = opened(world)
    for strict in (0, 1):
        s.setsockopt(SOL_NETLINK, GET_STRICT_CHK, strict)
        for label, attrs in (
            ("nothing", b""),
            ("number", attr(ns.NETNSA_NSID, u32(NOWHERE))),
            ("process", attr(ns.NETNSA_PID, u32(NO_PROCESS))),
            ("descriptor", attr(ns.NETNSA_FD, u32(NO_PROCESS))),
            ("target", attr(ns.NETNSA_TARGET_NSID, u32(NOWHERE))),
            ("answer", attr(ns.NETNSA_CURRENT_NSID, u32(1))),
            ("short", attr(ns.NETNSA_NSID, u16(1))),
        ):
            body = rt.RtGenMsg().pack().ljust(4, b"\0") + attrs
            log.ask(f"{label} {strict}", s, nlmsg(rt.RTM_GETNSID, REQUEST, body, seq=1))
            log.ask(f"dump {label} {strict}", s, nlmsg(rt.RTM_GETNSID, REQUEST | DUMP, body, seq=2))


@case(privileged=True, marks=ROUTE)
def a_number_for_oneself(world: World, log: Log) -> None:
    """RTM_NEWNSID assigns an nsid to the caller's own namespace only once. The kernel notifies the members of
    RTNLGRP_NSID.
    """
    s = netlink(world, wire.ROUTE, bind=(0, 0))
    process = s.getsockname()[0]
    log.auto(s)
    for option in (EXT_ACK, CAP_ACK):
        s.setsockopt(SOL_NETLINK, option, 1)
    listener = netlink(world, wire.ROUTE, bind=(B, 0))
    listener.setsockopt(SOL_NETLINK, ADD_MEMBERSHIP, rt.RTNLGRP_NSID)
    me = attr(ns.NETNSA_PID, u32(process))

    def ask(label: str, type: int, attrs: bytes, flags: int = 0) -> None:
        log.ask(label, s, nlmsg(type, REQUEST | flags, bytes(4) + attrs, seq=1))

    ask("none yet", rt.RTM_GETNSID, me)
    ask("no number", rt.RTM_NEWNSID, me)
    ask("nobody", rt.RTM_NEWNSID, attr(ns.NETNSA_NSID, u32(3)))
    ask("no process", rt.RTM_NEWNSID, attr(ns.NETNSA_NSID, u32(3)) + attr(ns.NETNSA_PID, u32(NO_PROCESS)))
    ask("given", rt.RTM_NEWNSID, attr(ns.NETNSA_NSID, u32(5)) + me, ACK | ECHO)
    log.reply("heard", listener)
    ask("again", rt.RTM_NEWNSID, attr(ns.NETNSA_NSID, u32(6)) + me, ACK)
    ask("by process", rt.RTM_GETNSID, me)
    ask("by number", rt.RTM_GETNSID, attr(ns.NETNSA_NSID, u32(5)))
    ask("from itself", rt.RTM_GETNSID, me + attr(ns.NETNSA_TARGET_NSID, u32(5)))
    ask("all", rt.RTM_GETNSID, b"", DUMP)
    s.setsockopt(SOL_NETLINK, GET_STRICT_CHK, 1)
    ask("all of itself", rt.RTM_GETNSID, attr(ns.NETNSA_TARGET_NSID, u32(5)), DUMP)
    body = address(AF_INET, 1, attr(ia.IFA_TARGET_NETNSID, u32(5)))
    log.ask("addresses", s, nlmsg(rt.RTM_GETADDR, REQUEST | DUMP, body, seq=2))
    log.reply("nothing more", listener)
