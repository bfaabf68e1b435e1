"""NETLINK_ROUTE: dumps of links, strict checks, AF_BRIDGE requests without a bridge, and statistics."""

from __future__ import annotations

from simkernel.uapi import if_link as il
from simkernel.uapi import neighbour as nb
from simkernel.uapi import rtnetlink as rt
from simkernel.uapi.netlink import NLM_F_BULK
from simkernel.uapi.netlink import NLM_F_CREATE as CREATE
from simkernel.uapi.socket import AF_BRIDGE, AF_INET, AF_INET6, AF_UNSPEC
from tests.conformance import wire
from tests.conformance.case import case, netlink
from tests.conformance.cases.routes import NO_PROCESS, NOWHERE, ROUTE, TEN, A, neighbour, opened
from tests.conformance.log import Log
from tests.conformance.wire import (
    ACK,
    ADD_MEMBERSHIP,
    CAP_ACK,
    DUMP,
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


def dumped_links(s: Socket, attrs: bytes, family: int = AF_UNSPEC) -> list[list[int]]:
    """Return type, flags and length of each message of a link dump, up to NLMSG_DONE."""
    s.send(nlmsg(rt.RTM_GETLINK, REQUEST | DUMP, rt.IfInfoMsg(family).pack() + attrs, seq=1))
    found: list[list[int]] = []
    while not found or found[-1][0] != wire.DONE:
        found += [[header[1], header[2], header[0]] for header, _ in wire.messages(s.recv(65536))]
    return found


@case(marks=ROUTE)
def without_a_master(world: World, log: Log) -> None:
    """IFLA_MASTER restricts a dump to the ports of one master. The value -1 selects the links without a
    master.
    """
    s = opened(world)
    for index in (0, 1, 2**32 - 1):
        log(f"{index}", dumped_links(s, attr(il.IFLA_MASTER, u32(index))))


@case(privileged=True, marks=ROUTE)
def of_a_kind(world: World, log: Log) -> None:
    """IFLA_INFO_KIND restricts a dump to the links of one kind. The kernel ignores this attribute if it does
    not know the kind.
    """
    s = opened(world)
    kind = attr(il.IFLA_LINKINFO, attr(il.IFLA_INFO_KIND, b"veth\0"))
    body = rt.IfInfoMsg().pack() + attr(il.IFLA_MTU, u32(1)) + kind
    log.ask("no such MTU, but a module of the kind", s, nlmsg(rt.RTM_NEWLINK, REQUEST | CREATE, body, seq=2))
    for label, inner in (
        ("known", attr(il.IFLA_INFO_KIND, b"veth\0")),
        ("without its end", attr(il.IFLA_INFO_KIND, b"veth")),
        ("unknown", attr(il.IFLA_INFO_KIND, b"nosuchkind\0")),
        ("in a bad nest", attr(2, b"\0") + attr(il.IFLA_INFO_KIND, b"veth\0")),
    ):
        log(label, dumped_links(s, attr(il.IFLA_LINKINFO | NESTED, inner)))


@case(marks=ROUTE)
def strictly(world: World, log: Log) -> None:
    """Strict checks of the header and attributes of RTM_GETLINK, for one link and for a dump."""
    s = opened(world, GET_STRICT_CHK, CAP_ACK)
    for label, body in (
        ("short", bytes(8)),
        ("padding", bytes((0, 1)) + rt.IfInfoMsg(index=999).pack()[2:]),
        ("type", rt.IfInfoMsg(type=1, index=999).pack()),
        ("flags", rt.IfInfoMsg(index=999, flags=1).pack()),
        ("change", rt.IfInfoMsg(index=999, change=2**32 - 1).pack()),
        ("index", rt.IfInfoMsg(index=999).pack()),
        ("negative index", rt.IfInfoMsg(index=-1).pack()),
        ("lo", rt.IfInfoMsg(index=1).pack() + attr(il.IFLA_MTU, u32(1))),
        ("no name", rt.IfInfoMsg().pack() + attr(il.IFLA_IFNAME, b"nosuch0\0")),
        ("no other name", rt.IfInfoMsg().pack() + attr(il.IFLA_ALT_IFNAME, b"nosuch0\0")),
        ("group", rt.IfInfoMsg(index=999).pack() + attr(il.IFLA_GROUP, u32(0))),
        ("unknown", rt.IfInfoMsg(index=999).pack() + attr(200, b"x")),
        ("leftover", rt.IfInfoMsg(index=999).pack() + b"xyz"),
        ("a process's", rt.IfInfoMsg(index=999).pack() + attr(il.IFLA_NET_NS_PID, u32(1))),
        ("nowhere", rt.IfInfoMsg(index=999).pack() + attr(il.IFLA_TARGET_NETNSID, u32(NOWHERE))),
        ("refused", rt.IfInfoMsg(index=999).pack() + attr(il.IFLA_PERM_ADDRESS, bytes(6))),
        ("newer", rt.IfInfoMsg(index=999).pack() + attr(il.IFLA_HEADROOM | NESTED, u16(1))),
    ):
        log.ask(f"one: {label}", s, nlmsg(rt.RTM_GETLINK, REQUEST, body, seq=1))
        if label not in ("index", "negative index"):
            body = body[:4] + bytes(4) + body[8:]
        log.ask(f"all: {label}", s, nlmsg(rt.RTM_GETLINK, REQUEST | DUMP, body, seq=2))


@case(marks=ROUTE)
def groups_without_privilege(world: World, log: Log) -> None:
    """Of all NETLINK_ROUTE groups, only the two for multicast routing need privilege, whether a socket joins
    by number or by mask.
    """
    s = netlink(world, wire.ROUTE)
    for group in range(28, 41):
        log.call(f"{group}", s.setsockopt, SOL_NETLINK, ADD_MEMBERSHIP, group)
    for mask in (1, 1 << 29, 1 << 30, 0xC0000000, 0xFFFFFFFF):
        log.call(f"{mask:#x}", s.bind, (A, mask))
        log.name("name", s)


# -- bridges, statistics, alternative names, AF_INET6 links ------------------------


def fdb(index: int = 0, attrs: bytes = b"", flags: int = 0, state: int = 0) -> bytes:
    return neighbour(AF_BRIDGE, index, attrs, flags, state)


MAC = attr(nb.NDA_LLADDR, bytes(6))
"""NDA_LLADDR with the hardware address of `lo`, which is all zeros."""


@case(marks=ROUTE)
def no_bridges(world: World, log: Log) -> None:
    """AF_BRIDGE dumps of links and of forwarding entries without a bridge, with and without strict checks."""
    s = opened(world)
    for strict in (0, 1):
        s.setsockopt(SOL_NETLINK, GET_STRICT_CHK, strict)
        for label, body in (
            ("links", rt.IfInfoMsg(AF_BRIDGE).pack()),
            ("short", bytes((AF_BRIDGE, 0, 0, 0))),
            ("one link", rt.IfInfoMsg(AF_BRIDGE, index=1).pack()),
            ("mask", rt.IfInfoMsg(AF_BRIDGE).pack() + attr(il.IFLA_EXT_MASK, u32(1))),
            ("master", rt.IfInfoMsg(AF_BRIDGE).pack() + attr(il.IFLA_MASTER, u32(1))),
        ):
            log.ask(f"{label} {strict}", s, nlmsg(rt.RTM_GETLINK, REQUEST | DUMP, body, seq=1))
        for label, body in (
            ("entries", fdb()),
            ("short", bytes((AF_BRIDGE, 0, 0, 0))),
            ("flags", fdb(flags=nb.NTF_SELF)),
            ("of a bridge", fdb(0, attr(nb.NDA_MASTER, u32(999)))),
            ("of a short bridge", fdb(0, attr(nb.NDA_MASTER, u16(1)))),
            ("of a link", fdb(1, attr(nb.NDA_IFINDEX, u32(1)))),
            ("address", fdb(0, MAC)),
            ("as links", rt.IfInfoMsg(AF_BRIDGE).pack() + attr(il.IFLA_MASTER, u32(999))),
        ):
            log.ask(f"{label} {strict}", s, nlmsg(rt.RTM_GETNEIGH, REQUEST | DUMP, body, seq=2))


@case(marks=ROUTE)
def one_entry(world: World, log: Log) -> None:
    """RTM_GETNEIGH of one AF_BRIDGE entry is checked strictly, even without NETLINK_GET_STRICT_CHK."""
    s = opened(world, CAP_ACK)
    for label, body in (
        ("on lo", fdb(1, MAC)),
        ("of lo itself", fdb(1, MAC, nb.NTF_SELF)),
        ("on no link", fdb(999, MAC)),
        ("nowhere", fdb(0, MAC)),
        ("in a bridge", fdb(0, MAC + attr(nb.NDA_MASTER, u32(1)))),
        ("in no bridge", fdb(0, MAC + attr(nb.NDA_MASTER, u32(999)))),
        ("in both", fdb(1, MAC + attr(nb.NDA_MASTER, u32(1)))),
        ("no address", fdb(1)),
        ("short address", fdb(1, attr(nb.NDA_LLADDR, bytes(5)))),
        ("vlan 0", fdb(1, MAC + attr(nb.NDA_VLAN, u16(0)))),
        ("long vlan", fdb(1, MAC + attr(nb.NDA_VLAN, u32(1)))),
        ("network address", fdb(1, MAC + attr(nb.NDA_DST, TEN))),
        ("state", fdb(1, MAC, state=1)),
        ("flags", fdb(1, MAC, nb.NTF_PROXY)),
        ("short", bytes((AF_BRIDGE, 0, 0, 0))),
    ):
        log.ask(label, s, nlmsg(rt.RTM_GETNEIGH, REQUEST, body, seq=1))


@case(privileged=True, marks=ROUTE)
def bridges_refused(world: World, log: Log) -> None:
    """Errors of requests that change bridges if no bridge exists, and of requests that delete many forwarding
    entries at once.
    """
    s = opened(world, CAP_ACK)
    for label, body in (
        ("lo", rt.IfInfoMsg(AF_BRIDGE, index=1).pack()),
        ("no link", rt.IfInfoMsg(AF_BRIDGE, index=999).pack()),
        ("short", bytes((AF_BRIDGE, 0, 0, 0))),
        ("short flags", rt.IfInfoMsg(AF_BRIDGE, index=1).pack() + attr(il.IFLA_AF_SPEC, attr(0, b"\2"))),
        ("short mode", rt.IfInfoMsg(AF_BRIDGE, index=1).pack() + attr(il.IFLA_AF_SPEC, attr(1, b"\2"))),
        ("itself", rt.IfInfoMsg(AF_BRIDGE, index=1).pack() + attr(il.IFLA_AF_SPEC, attr(0, u16(2)))),
    ):
        for name, type in (("set", rt.RTM_SETLINK), ("del", rt.RTM_DELLINK)):
            log.ask(f"{name} {label}", s, nlmsg(type, REQUEST | ACK, body, seq=1))
    for label, body in (
        ("on lo", fdb(1, MAC)),
        ("on no link", fdb(999, MAC)),
        ("nowhere", fdb(0, MAC)),
        ("no address", fdb(1)),
        ("vlan 0", fdb(1, MAC + attr(nb.NDA_VLAN, u16(0)))),
        ("unknown", fdb(1, MAC + attr(99, b"x"))),
        ("short", bytes((AF_BRIDGE, 0, 0, 0))),
    ):
        log.ask(f"new {label}", s, nlmsg(rt.RTM_NEWNEIGH, REQUEST | ACK, body, seq=2))
        log.ask(f"del {label}", s, nlmsg(rt.RTM_DELNEIGH, REQUEST | ACK, body, seq=3))
        log.ask(f"bulk {label}", s, nlmsg(rt.RTM_DELNEIGH, REQUEST | ACK | NLM_F_BULK, body, seq=4))
    log.ask("bulk of another family", s, nlmsg(rt.RTM_DELNEIGH, REQUEST | NLM_F_BULK, neighbour(2), seq=5))
    log.ask("bulk of links", s, nlmsg(rt.RTM_DELLINK, REQUEST | NLM_F_BULK, rt.IfInfoMsg().pack(), seq=6))


@case(marks=ROUTE)
def statistics(world: World, log: Log) -> None:
    """RTM_GETSTATS of `lo` returns only zeros. The kernel always checks the attributes strictly, but the
    header only with NETLINK_GET_STRICT_CHK.
    """
    s = opened(world)
    part = attr(il.IFLA_STATS_LINK_OFFLOAD_XSTATS, u32(2))
    for strict in (0, 1):
        s.setsockopt(SOL_NETLINK, GET_STRICT_CHK, strict)
        for label, body in (
            ("all", il.IfStatsMsg(index=1, filter_mask=31).pack()),
            ("packets", il.IfStatsMsg(index=1, filter_mask=1).pack()),
            ("more than there is", il.IfStatsMsg(index=1, filter_mask=32).pack()),
            ("nothing", il.IfStatsMsg(index=1).pack()),
            ("of no link", il.IfStatsMsg(index=999, filter_mask=1).pack()),
            ("of nobody", il.IfStatsMsg(filter_mask=16).pack()),
            ("padding", il.IfStatsMsg(pad1=1, index=1, filter_mask=16).pack()),
            ("filter", il.IfStatsMsg(index=1, filter_mask=8).pack() + attr(1 | NESTED, part)),
            ("other filter", il.IfStatsMsg(index=1, filter_mask=1).pack() + attr(1 | NESTED, part)),
            ("no nest", il.IfStatsMsg(index=1, filter_mask=1).pack() + attr(1, part)),
            ("unknown", il.IfStatsMsg(index=1, filter_mask=1).pack() + attr(9, b"x")),
            ("short", bytes(8)),
        ):
            log.ask(f"{label} {strict}", s, nlmsg(rt.RTM_GETSTATS, REQUEST, body, seq=1))
            log.ask(f"dump {label} {strict}", s, nlmsg(rt.RTM_GETSTATS, REQUEST | DUMP, body, seq=2))


@case(privileged=True, marks=ROUTE)
def statistics_and_names_refused(world: World, log: Log) -> None:
    """Errors of RTM_SETSTATS, RTM_NEWLINKPROP and RTM_DELLINKPROP."""
    s = opened(world, CAP_ACK)
    for label, body in (
        ("nothing", il.IfStatsMsg(index=1).pack()),
        ("a family", il.IfStatsMsg(AF_INET, index=1).pack()),
        ("no link", il.IfStatsMsg(index=999).pack()),
        ("nobody", il.IfStatsMsg().pack()),
        ("a mask", il.IfStatsMsg(index=1, filter_mask=1).pack()),
        ("too much", il.IfStatsMsg(index=1).pack() + attr(2, b"\2")),
        ("unknown", il.IfStatsMsg(index=1).pack() + attr(1, b"\1")),
        ("short", bytes(8)),
    ):
        log.ask(f"set {label}", s, nlmsg(rt.RTM_SETSTATS, REQUEST | ACK, body, seq=1))
    for label, body in (
        ("nothing", rt.IfInfoMsg(index=1).pack()),
        ("no link", rt.IfInfoMsg(index=999).pack()),
        ("nobody", rt.IfInfoMsg().pack()),
        ("by name", rt.IfInfoMsg().pack() + attr(il.IFLA_IFNAME, b"lo\0")),
        ("by another name", rt.IfInfoMsg().pack() + attr(il.IFLA_ALT_IFNAME, b"nosuch\0")),
        ("elsewhere", rt.IfInfoMsg(index=1).pack() + attr(il.IFLA_NET_NS_PID, u32(NO_PROCESS))),
        ("no nest", rt.IfInfoMsg(index=1).pack() + attr(il.IFLA_PROP_LIST, b"")),
        ("unknown", rt.IfInfoMsg(index=1).pack() + attr(200, b"x")),
        ("leftover", rt.IfInfoMsg(index=1).pack() + b"xyz"),
        ("short", bytes(4)),
    ):
        for name, type in (("new", rt.RTM_NEWLINKPROP), ("del", rt.RTM_DELLINKPROP)):
            log.ask(f"{name} {label}", s, nlmsg(type, REQUEST | ACK, body, seq=2))


@case(marks=ROUTE)
def of_ipv6_strictly(world: World, log: Log) -> None:
    """With strict checks, an AF_INET6 dump of links accepts no attributes."""
    s = opened(world, GET_STRICT_CHK)
    for label, body in (
        ("short", bytes((AF_INET6, 0, 0, 0))),
        ("index", rt.IfInfoMsg(AF_INET6, index=1).pack()),
        ("type", rt.IfInfoMsg(AF_INET6, type=1).pack()),
        ("mask", rt.IfInfoMsg(AF_INET6).pack() + attr(il.IFLA_EXT_MASK, u32(1))),
    ):
        log.ask(label, s, nlmsg(rt.RTM_GETLINK, REQUEST | DUMP, body, seq=1))
    log("for everybody else", dumped_links(s, b"", AF_INET6))
