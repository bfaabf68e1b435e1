"""NETLINK_ROUTE: addresses that are changed or deleted, with the routes that depend on them."""

from __future__ import annotations

import struct
from typing import Final

from simkernel.uapi import if_addr as ia
from simkernel.uapi import if_link as il
from simkernel.uapi import neighbour as nb
from simkernel.uapi import rtnetlink as rt
from simkernel.uapi.socket import AF_INET, AF_INET6
from tests.conformance.case import case
from tests.conformance.cases.fib_lab import LINK, LO, PEER, ROUTE, VETH, packed, route
from tests.conformance.cases.tabled import CREATE, Tabled, ifaddr, lifetimes, metric
from tests.conformance.log import Log
from tests.conformance.wire import DUMP, NESTED, attr, u32
from tests.conformance.world import World

NEW, DEL = rt.RTM_NEWADDR, rt.RTM_DELADDR
REPLACE: Final = 0x100 | 0x400
ADDRESSES4, ADDRESSES6 = (rt.RTNLGRP_IPV4_IFADDR,), (rt.RTNLGRP_IPV6_IFADDR, rt.RTNLGRP_IPV6_IFINFO)
PROMOTE: Final = 20
"""Number of the setting promote_secondaries. In IFLA_INET_CONF, it is the type of a nested attribute."""


def settings(index: int, family: int, data: bytes) -> bytes:
    """Return the body of an RTM_SETLINK request for a link's IPv4 or IPv6 settings (IFLA_AF_SPEC)."""
    spec = attr(il.IFLA_AF_SPEC | NESTED, attr(family | NESTED, data))
    return rt.IfInfoMsg(index=index).pack() + spec


def set_ipv4(index: int, place: int, value: int) -> bytes:
    return settings(index, AF_INET, attr(1 | NESTED, attr(place, struct.pack("<i", value))))


@case(privileged=True, marks=ROUTE)
def metrics_of_addresses(world: World, log: Log) -> None:
    """If the metric of an IPv4 address changes, the kernel replaces the prefix route of this address."""
    lab = Tabled(world, log, veth=True, groups=ADDRESSES4)
    lab.step("down", NEW, ifaddr("10.1.0.1/24", VETH, metric(5)), CREATE)
    lab.step("down, changed", NEW, ifaddr("10.1.0.1/24", VETH, metric(6)), REPLACE)
    lab.up()
    noprefix = attr(ia.IFA_FLAGS, u32(ia.IFA_F_NOPREFIXROUTE))
    for text, extra in (
        ("10.0.0.1/24", b""),
        ("10.0.0.2/24", b""),
        ("10.2.0.1/32", b""),
        ("10.3.0.1/24", noprefix),
        ("0.0.0.5/24", b""),
        ("10.4.0.0/24", b""),
        ("10.1.0.1/24", b""),
        ("10.5.0.0/32", b""),
    ):
        lab.step(f"new {text}", NEW, ifaddr(text, VETH, extra), CREATE)
        for value in (7, 7, 0, 9):
            lab.step(f"{text} {value}", NEW, ifaddr(text, VETH, extra, metric(value)), REPLACE)
    lab.step("peer", NEW, ifaddr("10.6.0.1/32", VETH, peer="10.6.0.2"), CREATE)
    lab.step("peer 4", NEW, ifaddr("10.6.0.1/32", VETH, metric(4), peer="10.6.0.2"), REPLACE)
    lab.step("lo", NEW, ifaddr("10.7.0.1/24", LO), CREATE)
    lab.step("lo 4", NEW, ifaddr("10.7.0.1/24", LO, metric(4)), REPLACE)
    for text in ("10.0.0.1/24", "10.2.0.1/32", "10.4.0.0/24", "10.3.0.1/24"):
        lab.step(f"del {text}", DEL, ifaddr(text, VETH))
    lab.addresses("left")
    lab.show("routes left")


SUBNETS: Final = (
    *(
        "10.0.0.1/24",
        "10.0.0.2/24",
        "10.0.0.3/24",
        "10.0.0.1/16",
        "10.0.0.9/16",
        "10.0.0.1/25",
        "10.0.0.2/32",
    ),
    *("10.0.0.130/25", "10.0.0.255/24", "10.0.0.0/24"),
)
"""IPv4 addresses in several subnets. Some of them have the same local address or the same broadcast address.
"""


@case(privileged=True, marks=ROUTE)
def routes_that_addresses_share(world: World, log: Log) -> None:
    """If an address is deleted, the kernel keeps the local and broadcast routes that other addresses need."""
    lab = Tabled(world, log, veth=True, groups=ADDRESSES4)
    lab.up()
    broadcast = attr(ia.IFA_BROADCAST, bytes((10, 0, 0, 255)))
    for start in range(0, len(SUBNETS), 3):
        order = SUBNETS[start:] + SUBNETS[:start]
        for text in order:
            extra = broadcast if text.startswith(("10.0.0.1/", "10.0.0.9")) else b""
            lab.step(f"{start} new {text}", NEW, ifaddr(text, VETH, extra), CREATE)
        lab.show(f"{start} all")
        for text in order[1:] + order[:1]:
            lab.step(f"{start} del {text}", DEL, ifaddr(text, VETH))
        lab.addresses(f"{start} left")
        lab.show(f"{start} routes left")


@case(privileged=True, marks=ROUTE)
def promoted_addresses(world: World, log: Log) -> None:
    """With promote_secondaries, the first secondary address replaces a deleted primary address."""
    lab = Tabled(world, log, veth=True, groups=ADDRESSES4)
    lab.up()
    texts = (
        "10.1.0.1/24",
        "10.0.0.1/24",
        "10.2.0.1/24",
        "10.0.0.2/24",
        "10.0.0.3/24",
        "10.1.0.2/24",
        "10.0.0.4/24",
    )
    for value in (1, 0):
        lab.quietly(rt.RTM_SETLINK, set_ipv4(VETH, PROMOTE, value))
        for text in texts:
            scope = LINK if text.startswith("10.2") else 0
            lab.step(f"{value} new {text}", NEW, ifaddr(text, VETH, scope=scope), CREATE)
        lab.step(f"{value} link", NEW, ifaddr("10.3.0.1/24", VETH, scope=LINK), CREATE)
        lab.step(f"{value} link, second", NEW, ifaddr("10.3.0.2/24", VETH, scope=LINK), CREATE)
        for text in ("10.0.0.1/24", "10.0.0.2/24", "10.3.0.1/24", "10.1.0.1/24", "10.0.0.3/24"):
            lab.step(f"{value} del {text}", DEL, ifaddr(text, VETH))
            lab.addresses(f"{value} without {text}")
            lab.show(f"{value} routes without {text}")
        lab.switch(VETH, up=False)
        lab.switch(VETH, up=True)
        for text in ("10.0.0.4/24", "10.1.0.2/24", "10.2.0.1/24", "10.3.0.2/24"):
            lab.step(f"{value} del {text}", DEL, ifaddr(text, VETH))


@case(privileged=True, marks=ROUTE)
def labels_and_selectors(world: World, log: Log) -> None:
    """RTM_DELADDR deletes the first address that matches all attributes of the request. If a link is renamed,
    the labels of its addresses change too.
    """
    lab = Tabled(world, log, veth=True, groups=ADDRESSES4)

    def label(text: bytes) -> bytes:
        return attr(ia.IFA_LABEL, text + b"\0")

    for text, name in (
        ("10.0.0.1/24", b"v0"),
        ("10.0.0.2/24", b"v0:x"),
        ("10.0.0.3/24", b"other"),
        ("10.0.0.4/16", b"v0:12345678901"),
        ("10.0.0.5/16", b""),
    ):
        lab.step(f"new {text}", NEW, ifaddr(text, VETH, label(name)), CREATE)
    for name in (b"w1\0", b"a-longer-name15\0", b"v0\0"):
        lab.quietly(rt.RTM_NEWLINK, rt.IfInfoMsg(index=VETH).pack() + attr(il.IFLA_IFNAME, name))
        lab.addresses(name.decode()[:-1])
    head = rt.IfAddrMsg(AF_INET, 24, 0, 0, VETH).pack()
    wide = rt.IfAddrMsg(AF_INET, 16, 0, 0, VETH).pack()
    ten = attr(ia.IFA_ADDRESS, bytes((10, 0, 0, 77)))
    for what, body in (
        ("wrong label", head + label(b"nothing")),
        ("wrong local", head + attr(ia.IFA_LOCAL, bytes((10, 0, 0, 9)))),
        ("wrong prefix", rt.IfAddrMsg(AF_INET, 8, 0, 0, VETH).pack() + ten),
        ("other subnet", head + attr(ia.IFA_ADDRESS, bytes((10, 1, 0, 77)))),
        ("other link", rt.IfAddrMsg(AF_INET, 24, 0, 0, PEER).pack() + ten),
        ("no link", rt.IfAddrMsg(AF_INET, 24, 0, 0, 99).pack() + ten),
        ("local and wrong label", ifaddr("10.0.0.1/24", VETH, label(b"nothing"))),
        ("wide", wide + ten),
        (
            "local only",
            rt.IfAddrMsg(AF_INET, 3, 0, 0, VETH).pack() + attr(ia.IFA_LOCAL, bytes((10, 0, 0, 2))),
        ),
        ("subnet", head + ten),
        ("any", rt.IfAddrMsg(AF_INET, 0, 0, 0, VETH).pack()),
        ("none left", rt.IfAddrMsg(AF_INET, 0, 0, 0, VETH).pack()),
    ):
        lab.step(f"del {what}", DEL, body)
        lab.addresses(f"after {what}")


@case(privileged=True, marks=ROUTE)
def flags_of_addresses(world: World, log: Log) -> None:
    """Requests that add or change an address, with each flag and with several lifetimes. With
    IFA_F_MCAUTOJOIN, a multicast address joins its group.
    """
    for family, one, group, groups in (
        (AF_INET, "10.0.0.1/24", "224.1.1.1/32", ADDRESSES4),
        (AF_INET6, "2001:db8::1/64", "ff05::5/128", ADDRESSES6),
    ):
        lab = Tabled(world, log, family, veth=family == AF_INET, groups=groups, portid=family)
        lab.up()
        for bit in range(12):
            flags = attr(ia.IFA_FLAGS, u32(1 << bit | ia.IFA_F_NODAD))
            lab.step(f"{family} flag {bit}", NEW, ifaddr(one, VETH, flags), CREATE)
            lab.step(f"{family} again {bit}", NEW, ifaddr(one, VETH, flags), CREATE)
            lab.step(f"{family} plain {bit}", NEW, ifaddr(one, VETH), 0x400)
            lab.step(f"{family} replaced {bit}", NEW, ifaddr(one, VETH, flags), REPLACE)
            lab.step(f"{family} exclusively {bit}", NEW, ifaddr(one, VETH, flags), REPLACE | 0x200)
            lab.step(f"{family} del {bit}", DEL, ifaddr(one, VETH))
        for preferred, valid in ((0, 0), (1, 0), (0, 1), (5, 4), (5, 5), (2**32 - 1, 5), (5, 2**32 - 1)):
            life = lifetimes(preferred, valid)
            lab.step(f"{family} {preferred} {valid}", NEW, ifaddr(one, VETH, life), CREATE)
            lab.step(f"{family} replaced", NEW, ifaddr(one, VETH, life, attr(ia.IFA_PROTO, b"\7")), REPLACE)
            lab.addresses(f"{family} with {preferred} {valid}")
            lab.step(f"{family} del", DEL, ifaddr(one, VETH))
        joins = attr(ia.IFA_FLAGS, u32(ia.IFA_F_MCAUTOJOIN | ia.IFA_F_NODAD))
        for label, type, text, extra in (
            ("not a group", NEW, one, joins),
            ("group", NEW, group, joins),
            ("again", NEW, group, joins),
            ("del", DEL, group, b""),
            ("once more", NEW, group, joins),
            ("del", DEL, group, b""),
            ("without", NEW, group, b""),
            ("del without", DEL, group, b""),
            ("loopback", NEW, "127.0.0.1/8" if family == AF_INET else "::1/128", b""),
            ("any", NEW, "0.0.0.0/8" if family == AF_INET else "::/128", b""),
            ("length", NEW, one.replace("/24", "/33").replace("/64", "/129"), b""),
            ("del length", DEL, one.replace("/24", "/33").replace("/64", "/129"), b""),
        ):
            lab.step(f"{family} {label}", type, ifaddr(text, VETH, extra), CREATE if type == NEW else 0)
        manages = attr(ia.IFA_FLAGS, u32(ia.IFA_F_MANAGETEMPADDR | ia.IFA_F_NODAD))
        lab.step(f"{family} manages", NEW, ifaddr(one.replace("/64", "/63"), VETH, manages), CREATE)


@case(privileged=True, marks=ROUTE)
def prefix_routes6(world: World, log: Log) -> None:
    """A new metric, lifetime, peer or flag of an IPv6 address changes the address's prefix routes too."""
    lab = Tabled(world, log, AF_INET6, veth=True, groups=ADDRESSES6)
    lab.up()
    noprefix = attr(ia.IFA_FLAGS, u32(ia.IFA_F_NOPREFIXROUTE | ia.IFA_F_NODAD))
    one, two = "2001:db8::1/64", "2001:db8::2/64"
    changes: tuple[tuple[str, tuple[bytes, ...], str], ...] = (
        ("metric", (metric(7),), ""),
        ("same metric", (metric(7),), ""),
        ("no metric", (), ""),
        ("peer", (), "2001:db8:5::1"),
        ("another peer", (), "2001:db8:6::1"),
        ("metric with peer", (metric(9),), "2001:db8:6::1"),
        ("peer with lifetime", (lifetimes(500, 900),), "2001:db8:6::1"),
        ("lifetime", (lifetimes(100, 200),), ""),
        ("longer", (lifetimes(100, 300), metric(9)), ""),
        ("forever", (), ""),
        ("no prefix route", (noprefix,), ""),
        ("no prefix route, metric", (noprefix, metric(3)), ""),
        ("prefix route", (), ""),
    )
    for start in (one, two):
        lab.step(f"new {start}", NEW, ifaddr(start, VETH), CREATE)
        for label, extra, peer in changes:
            lab.step(label, NEW, ifaddr(start, VETH, *extra, peer=peer), REPLACE)
            lab.show(f"routes after {label}")
    lab.step("with peer", NEW, ifaddr("2001:db8:7::1/128", VETH, peer="2001:db8:8::1"), CREATE)
    lab.step("three", NEW, ifaddr("2001:db8::3/64", VETH, lifetimes(50, 70)), CREATE)
    lab.step("four", NEW, ifaddr("2001:db8::4/64", VETH, lifetimes(50, 60)), CREATE)
    lab.step("of another link", NEW, ifaddr("2001:db8::5/64", PEER), CREATE)
    for text in (two, one, "2001:db8::3/64", "2001:db8::4/64", "2001:db8:7::1/128", "2001:db8::5/64"):
        lab.step(f"del {text}", DEL, ifaddr(text, VETH))
        lab.show(f"routes without {text}")


@case(privileged=True, marks=ROUTE)
def sources_that_go6(world: World, log: Log) -> None:
    """If an IPv6 address is deleted, routes lose it as preferred source, unless another link has the same
    address.
    """
    lab = Tabled(world, log, AF_INET6, veth=True, groups=ADDRESSES6)
    lab.up()
    for text, index in (
        ("2001:db8::1/64", VETH),
        ("2001:db8:1::1/64", VETH),
        ("2001:db8:1::1/64", PEER),
        ("fe80::1/64", VETH),
    ):
        lab.step(f"new {text} {index}", NEW, ifaddr(text, index), CREATE)
    lab.route("one", "2001:db8:2::/48", dev=VETH, prefsrc="2001:db8::1")
    lab.route("two", "2001:db8:3::/48", dev=VETH, prefsrc="2001:db8:1::1")
    lab.route("of another link", "2001:db8:4::/48", dev=PEER, prefsrc="2001:db8::1")
    lab.route("link-local", "2001:db8:5::/48", dev=VETH, prefsrc="fe80::1")
    lab.route("foreign link-local", "2001:db8:6::/48", dev=PEER, prefsrc="fe80::1")
    for text, index in (
        ("2001:db8::1/64", VETH),
        ("2001:db8:1::1/64", VETH),
        ("2001:db8:1::1/64", PEER),
        ("fe80::1/64", VETH),
    ):
        lab.step(f"del {text} {index}", DEL, ifaddr(text, index))
        lab.show(f"without {text} {index}")


@case(privileged=True, marks=ROUTE)
def tokens(world: World, log: Log) -> None:
    """IFLA_INET6_TOKEN sets the interface id of a link. IFLA_INET6_ADDR_GEN_MODE selects how the kernel
    generates the link-local address.
    """
    lab = Tabled(world, log, AF_INET6, veth=True, groups=ADDRESSES6)
    token, mode = 7, 8

    def change(label: str, index: int, data: bytes) -> None:
        lab.step(f"{label} {index}", rt.RTM_SETLINK, settings(index, AF_INET6, data))

    value = bytes(range(16))
    for up in (False, True):
        if up:
            lab.up()
        for index in (LO, VETH, PEER, 99):
            change("token", index, attr(token, value))
            change("long token", index, attr(token, value + b"\1"))
            change("short token", index, attr(token, value[:15]))
            change("no token", index, attr(token, bytes(16)))
            change("nothing", index, b"")
            for number in (0, 1, 2, 3, 4):
                change(
                    f"mode {number}",
                    index,
                    attr(mode, bytes((number,))) if number != 3 or index != VETH else b"",
                )
            change("both", index, attr(token, value) + attr(mode, b"\1"))
            change("mtu", index, attr(9, u32(1280)))
    lab.step("with an address", NEW, ifaddr("2001:db8::1/64", VETH), CREATE)
    change("token", VETH, attr(token, value))
    lab.step("with a link-local address", NEW, ifaddr("fe80::1/64", VETH), CREATE)
    change("token", VETH, attr(token, value))
    change("no token", VETH, attr(token, bytes(16)))
    lab.switch(VETH, up=False)
    lab.switch(VETH, up=True)


@case(privileged=True, marks=ROUTE)
def one_address6(world: World, log: Log) -> None:
    """RTM_GETADDR without NLM_F_DUMP returns one IPv6 address, of the link in the request or of any link."""
    lab = Tabled(world, log, AF_INET6, veth=True)
    lab.up()
    for text, index in (("2001:db8::1/64", VETH), ("2001:db8::1/48", PEER), ("2001:db8::2/64", PEER)):
        lab.step(f"new {text} {index}", NEW, ifaddr(text, index), CREATE)
    address = ifaddr("2001:db8::1/64", 0)[8:]
    for strict in (False, True):
        if strict:
            lab.strict()
        for index in (0, LO, VETH, PEER, 99):
            for number in (1, 2, 9):
                found = address[:-1] + bytes((number,))
                head = rt.IfAddrMsg(AF_INET6, index=index).pack()
                lab.log(f"{strict} {index} {number}", lab.answers(rt.RTM_GETADDR, head + found, 0))
        for label, head in (
            ("prefix", rt.IfAddrMsg(AF_INET6, 64, index=VETH)),
            ("flags", rt.IfAddrMsg(AF_INET6, flags=1, index=VETH)),
            ("scope", rt.IfAddrMsg(AF_INET6, scope=1, index=VETH)),
        ):
            lab.log(f"{strict} {label}", lab.answers(rt.RTM_GETADDR, head.pack() + address, 0))
        head = rt.IfAddrMsg(AF_INET6, index=VETH).pack()
        for type in range(1, ia.IFA_MAX + 2):
            if type != ia.IFA_TARGET_NETNSID:
                more = attr(type, u32(7) + bytes(12))
                lab.log(f"{strict} with {type}", lab.answers(rt.RTM_GETADDR, head + more + address, 0))
                lab.log(f"{strict} only {type}", lab.answers(rt.RTM_GETADDR, head + more, 0))
        lab.log(f"{strict} short", lab.answers(rt.RTM_GETADDR, head[:7], 0))
        for family in (AF_INET, AF_INET6, 0):
            for index in (0, VETH, 99):
                dump = rt.IfAddrMsg(family, index=index).pack()
                lab.log(f"{strict} all {family} {index}", lab.answers(rt.RTM_GETADDR, dump, 0x300))


@case(privileged=True, marks=ROUTE)
def links_without_protocols(world: World, log: Log) -> None:
    """Replies to requests for addresses, routes, neighbours and route lookups on a link whose MTU is too
    small for IPv6 or for IPv4.
    """
    lab = Tabled(world, log, veth=True, groups=(*ADDRESSES4, *ADDRESSES6))
    lab.up()
    lab.step("IPv4", NEW, ifaddr("10.0.0.1/24", VETH), CREATE)
    for index, mtu in ((LO, 1279), (LO, 67), (LO, 1280), (VETH, 1279), (VETH, 68), (VETH, 1280)):
        label = f"{index} {mtu}"
        lab.quietly(rt.RTM_SETLINK, rt.IfInfoMsg(index=index).pack() + attr(il.IFLA_MTU, u32(mtu)))
        lab.settle()
        log(label, lab.events())
        for text, to, via in (
            ("10.8.0.1/24", "10.9.0.0/16", "10.8.0.9"),
            ("2001:db8::1/64", "2001:db8:9::/48", "fe80::9"),
        ):
            lab.step(f"{label} new {text}", NEW, ifaddr(text, index), CREATE)
            lab.step(f"{label} del {text}", DEL, ifaddr(text, index))
            family = AF_INET6 if ":" in to else AF_INET
            lab.route(f"{label} route", to, dev=index, scope=LINK, family=family)
            lab.route(f"{label} gateway", to, dev=index, via=via, rtm_flags=4, family=family)
            lab.route(f"{label} local", to, dev=index, scope=254, type=rt.RTN_LOCAL, family=family)
            lab.unroute(f"{label} delete", to, family=family)
            lab.unroute(f"{label} delete", to, family=family)
            gone = nb.NdMsg(family, index=index, state=nb.NUD_STALE).pack() + attr(nb.NDA_DST, packed(via))
            gone += attr(nb.NDA_LLADDR, bytes(6))
            lab.step(f"{label} neighbour {via}", rt.RTM_NEWNEIGH, gone, CREATE)
            lab.step(f"{label} delete {via}", rt.RTM_DELNEIGH, gone)
            for dev in (0, index):
                body = route(via, dev=dev, family=family, proto=0, type=0, table=0)
                log(f"{label} get {via} over {dev}", lab.answers(rt.RTM_GETROUTE, body, 0))
        log(f"{label} settings", lab.answers(rt.RTM_GETNETCONF, bytes((AF_INET6, 0, 0, 0)), DUMP))
        for place, family in ((33, AF_INET), (8, AF_INET6)):
            inner = attr(1, attr(place, u32(1))) if family == AF_INET else attr(8, b"\1")
            lab.step(f"{label} setting of {family}", rt.RTM_SETLINK, settings(index, family, inner))
    lab.addresses("left")
    lab.addresses("left of IPv6", AF_INET6)
