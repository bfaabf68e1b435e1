"""NETLINK_ROUTE: many requests that add, replace and delete routes next to existing routes."""

from __future__ import annotations

from itertools import product
from typing import Any, Final

from simkernel.uapi import if_link as il
from simkernel.uapi import rtnetlink as rt
from simkernel.uapi.socket import AF_INET, AF_INET6
from tests.conformance.case import case
from tests.conformance.cases.fib_lab import (
    APPEND,
    EXCL,
    FILES,
    LINK,
    LO,
    NOWHERE,
    PEER,
    REPLACE,
    ROUTE,
    VETH,
    packed,
    route,
)
from tests.conformance.cases.tabled import CREATE, Tabled, ifaddr, lifetimes
from tests.conformance.log import Log
from tests.conformance.wire import attr, u32
from tests.conformance.world import World

ADD: Final = 0x400
FLAGS: Final = {
    "add": ADD | EXCL,
    "prepend": ADD,
    "append": ADD | APPEND,
    "replace": ADD | REPLACE,
    "change": REPLACE,
    "replace exclusively": ADD | REPLACE | EXCL,
    "replace and append": ADD | REPLACE | APPEND,
    "append only": APPEND,
    "exclusively": EXCL,
    "nothing": 0,
}
TO4, TO6 = "10.1.0.0/16", "2001:db8:1::/48"


def hop4(last: int = 0, dev: int = 0, weight: int = 0, flags: int = 0, extra: bytes = b"") -> bytes:
    """Return a next hop with the gateway 10.0.0.`last`, or without a gateway if `last` is 0."""
    inner = (attr(rt.RTA_GATEWAY, bytes((10, 0, 0, last))) if last else b"") + extra
    return rt.RtNextHop(8 + len(inner), flags, weight, dev).pack() + inner


def hop6(last: int = 0, dev: int = 0, weight: int = 0, flags: int = 0) -> bytes:
    """Return a next hop with the gateway 2001:db8::`last`, or without a gateway if `last` is 0."""
    inner = attr(rt.RTA_GATEWAY, packed(f"2001:db8::{last:x}")) if last else b""
    return rt.RtNextHop(8 + len(inner), flags, weight, dev).pack() + inner


def several(*hops: bytes) -> bytes:
    return attr(rt.RTA_MULTIPATH, b"".join(hops))


@case(privileged=True, marks=ROUTE)
def order_of_routes(world: World, log: Log) -> None:
    """The flags of RTM_NEWROUTE decide where the kernel inserts a new route, and whether the new route
    replaces an old one.
    """
    lab = Tabled(world, log, veth=True)
    lab.up()
    lab.step("address", rt.RTM_NEWADDR, ifaddr("10.0.0.1/24"), CREATE)
    kinds: dict[str, dict[str, Any]] = {
        "first": {"via": "10.0.0.11"},
        "second": {"via": "10.0.0.12"},
        "metric": {"via": "10.0.0.11", "metric": 5},
        "tos": {"via": "10.0.0.11", "tos": 8},
        "table": {"via": "10.0.0.11", "table": 255},
        "type": {"type": rt.RTN_BLACKHOLE},
    }
    for name, flags in FLAGS.items():
        for kind, more in kinds.items():
            lab.route(f"{name} {kind}", TO4, flags, **more)
        lab.show(name)
        for kind in ("second", "metric"):
            lab.unroute(f"{name}, delete {kind}", TO4, **{"proto": 4, **kinds[kind]})
    for _ in range(9):
        for more in ({}, {"tos": 8}, {"table": 255}):
            lab.unroute("delete", TO4, **more)
    lab.show("none")


@case(privileged=True, marks=ROUTE)
def order_of_routes6(world: World, log: Log) -> None:
    """The flags of RTM_NEWROUTE decide where the kernel inserts a new IPv6 route, and whether the new route
    replaces an old one.
    """
    lab = Tabled(world, log, AF_INET6, veth=True)
    lab.up()
    lab.step("address", rt.RTM_NEWADDR, ifaddr("2001:db8::1/64"), CREATE)
    kinds: dict[str, dict[str, Any]] = {
        "first": {"via": "2001:db8::11"},
        "second": {"via": "2001:db8::12"},
        "link": {"dev": VETH},
        "other link": {"dev": PEER},
        "metric": {"via": "2001:db8::11", "metric": 5},
        "several": {"extra": several(hop6(0x13), hop6(0x14))},
        "expiring": {"via": "2001:db8::11", "extra": attr(rt.RTA_EXPIRES, u32(500))},
        "forever": {"via": "2001:db8::11"},
        "type": {"type": rt.RTN_BLACKHOLE},
    }
    for name, flags in FLAGS.items():
        for kind, more in kinds.items():
            lab.route(f"{name} {kind}", TO6, flags, **more)
        lab.show(name)
        for kind in ("second", "metric"):
            lab.unroute(f"{name}, delete {kind}", TO6, **{"proto": 4, **kinds[kind]})
    for _ in range(12):
        lab.unroute("delete", TO6)
    lab.show("none")


@case(privileged=True, marks=ROUTE)
def selected_routes(world: World, log: Log) -> None:
    """RTM_DELROUTE deletes the first route that matches all fields of the request."""
    lab = Tabled(world, log, veth=True)
    lab.up()
    for text, index in (("10.0.0.1/24", VETH), ("10.0.1.1/24", PEER)):
        lab.step(f"address {text}", rt.RTM_NEWADDR, ifaddr(text, index), CREATE)
    metrics = attr(8, attr(2, u32(1400)) + attr(16, b"reno\0"))
    flow = attr(rt.RTA_FLOW, u32(5))
    routes: dict[str, dict[str, Any]] = {
        "gateway": {"via": "10.0.0.11"},
        "metrics": {"via": "10.0.0.12", "metric": 1, "extra": metrics},
        "realm": {"via": "10.0.0.13", "metric": 2, "extra": flow},
        "two": {"metric": 3, "extra": several(hop4(14, weight=3), hop4(15, extra=flow))},
        "links": {"metric": 4, "scope": LINK, "extra": several(hop4(dev=VETH), hop4(dev=PEER))},
        "source": {"metric": 5, "dev": VETH, "scope": LINK, "prefsrc": "10.0.0.1"},
        "tos": {"tos": 8, "via": "10.0.0.16"},
        "blackhole": {"type": rt.RTN_BLACKHOLE, "metric": 6},
    }
    requests: dict[str, dict[str, Any]] = {
        **{f"like {name}": {"proto": 4, **more, "metric": None} for name, more in routes.items()},
        "protocol": {"proto": 9},
        "scope": {"scope": 200},
        "type": {"type": rt.RTN_UNREACHABLE},
        "metric": {"metric": 77},
        "tos": {"tos": 4},
        "source": {"prefsrc": "10.0.0.2"},
        "table": {"table": 253},
        "gateway": {"via": "10.0.0.99"},
        "device": {"dev": LO},
        "realm": {"via": "10.0.0.13", "extra": attr(rt.RTA_FLOW, u32(6))},
        "mtu": {"extra": attr(8, attr(2, u32(1401)))},
        "algorithm": {"extra": attr(8, attr(16, b"cubic\0"))},
        "unknown algorithm": {"extra": attr(8, attr(16, b"nothing\0"))},
        "long mtu": {"extra": attr(8, attr(2, u32(1400) + u32(0)))},
        "unknown metric": {"extra": attr(8, attr(18, u32(0)))},
        "no metric": {"extra": attr(8, attr(3, u32(0)))},
        "one hop": {"extra": several(hop4(14))},
        "other order": {"extra": several(hop4(15), hop4(14))},
        "three hops": {"extra": several(hop4(14), hop4(15), hop4(16))},
        "other gateways": {"extra": several(hop4(14), hop4(16))},
        "hops without gateways": {"extra": several(hop4(), hop4())},
        "hop over a link": {"extra": several(hop4(dev=PEER), hop4(dev=PEER))},
        "links": {"extra": several(hop4(dev=VETH), hop4(dev=PEER))},
        "hop with a realm": {"extra": several(hop4(14), hop4(15, extra=attr(rt.RTA_FLOW, u32(6))))},
        "hop with a short realm": {"extra": several(hop4(14), hop4(15, extra=attr(rt.RTA_FLOW, b"\5\0")))},
        "hop with the realm": {"extra": several(hop4(14), hop4(15, extra=flow))},
        "hop with a short gateway": {"extra": several(hop4(14), hop4(extra=attr(rt.RTA_GATEWAY, b"\x0a")))},
        "hop with via": {
            "extra": several(hop4(14), hop4(extra=attr(rt.RTA_VIA, bytes((2, 0, 10, 0, 0, 15)))))
        },
        "hop with other via": {
            "extra": several(hop4(14), hop4(extra=attr(rt.RTA_VIA, bytes((2, 0, 10, 0, 0, 16)))))
        },
        "hop with both": {
            "extra": several(hop4(14, extra=attr(rt.RTA_VIA, bytes((2, 0, 10, 0, 0, 14)))), hop4(15))
        },
        "hop with a zero gateway": {"extra": several(hop4(extra=attr(rt.RTA_GATEWAY, bytes(4))), hop4())},
        "hops of metric 3": {"metric": 3, "extra": several(hop4(14), hop4(15))},
    }
    for label, request in requests.items():
        for more in routes.values():
            lab.quietly(rt.RTM_NEWROUTE, route(TO4, **{"family": AF_INET, **more}), ADD | APPEND)
        lab.events()
        lab.unroute(f"delete {label}", TO4, **request)
        lab.unroute(f"delete another {label}", TO4, **request)
        delete_all(lab, TO4, ({}, {"tos": 8}))


def delete_all(lab: Tabled, to: str, kinds: tuple[dict[str, Any], ...] = ({},)) -> None:
    """Delete all routes to a prefix, and log nothing."""
    for more in kinds:
        fields = {"family": lab.family, "proto": 0, "type": 0, "scope": NOWHERE, **more}
        while lab.answers(rt.RTM_DELROUTE, route(to, **fields)) == ["ok"]:
            pass
    lab.events()


@case(privileged=True, marks=ROUTE)
def several_hops6(world: World, log: Log) -> None:
    """IPv6 routes with several next hops: errors after the first hop, replaced siblings, and deleted next
    hops.
    """
    lab = Tabled(world, log, AF_INET6, veth=True)
    lab.up()
    for text, index in (("2001:db8::1/64", VETH), ("2001:db8:1::1/64", PEER)):
        lab.step(f"address {text}", rt.RTM_NEWADDR, ifaddr(text, index), CREATE)
    hops = {
        "one": several(hop6(0x11, weight=2)),
        "two": several(hop6(0x11), hop6(0x12, VETH)),
        "others": several(hop6(0x13), hop6(0x14)),
        "both": several(hop6(0x11), hop6(0x13)),
        "twice": several(hop6(0x11), hop6(0x11)),
        "second fails": several(hop6(0x15), hop6(0x16, PEER)),
        "second exists": several(hop6(0x15), hop6(0x11)),
        "third exists": several(hop6(0x15), hop6(0x16), hop6(0x12)),
        "onlink": several(hop6(0x15, PEER, flags=rt.RTNH_F_ONLINK), hop6(0x16)),
        "no gateway": several(hop6(0x15), hop6(0, VETH)),
        "no link": several(hop6(0x15, 99)),
        "dead": several(hop6(0x15, flags=rt.RTNH_F_DEAD)),
    }
    for name, flags in FLAGS.items():
        for kind, extra in hops.items():
            lab.route(f"{name} {kind}", TO6, flags, extra=extra)
        lab.route(f"{name} single", TO6, flags, via="2001:db8::17")
        lab.route(f"{name} link", TO6, flags, dev=VETH)
        lab.show(name)
        delete_all(lab, TO6)
    for kind in ("one", "two", "others", "twice", "third exists", "no gateway"):
        lab.route("new", TO6, ADD, extra=several(*(hop6(each) for each in range(0x11, 0x15))))
        lab.unroute(f"delete {kind}", TO6, extra=hops[kind])
        lab.show(f"without {kind}")
        delete_all(lab, TO6)
    lab.route("new", TO6, ADD, extra=several(*(hop6(each) for each in range(0x11, 0x15))))
    lab.unroute("delete second", TO6, via="2001:db8::12")
    lab.unroute("delete over", TO6, dev=VETH)
    lab.show("none")


@case(privileged=True, marks=ROUTE)
def hops_over_links_that_go6(world: World, log: Log) -> None:
    """If a link goes down, the IPv6 next hops over it are dead. A route that also has next hops over another
    link stays.
    """
    lab = Tabled(world, log, AF_INET6, veth=True)
    lab.up()

    def prepare() -> None:
        for text, index in (("2001:db8::1/64", VETH), ("2001:db8:1::1/64", PEER)):
            lab.step(f"address {text}", rt.RTM_NEWADDR, ifaddr(text, index), CREATE)
        other = attr(rt.RTA_GATEWAY, packed("2001:db8:1::21"))
        over = rt.RtNextHop(8 + len(other), 0, 0, PEER).pack() + other
        lab.route("over both", "2001:db8:2::/48", ADD, extra=several(hop6(0x11), over))
        lab.route("over one", "2001:db8:3::/48", ADD, extra=several(hop6(0x11), hop6(0x12)))
        lab.route("over the other", "2001:db8:4::/48", ADD, via="2001:db8:1::5")
        lab.route("in a table", "2001:db8:2::/48", ADD, extra=several(over, hop6(0x11)), table=77)
        lab.route("reject", "2001:db8:5::/48", ADD, type=rt.RTN_PROHIBIT)
        lab.show("all")

    prepare()
    for index in (VETH, PEER):
        lab.switch(index, up=False)
        lab.show(f"{index} down")
    for index in (VETH, PEER):
        lab.switch(index, up=True)
        lab.show(f"{index} up")
    prepare()
    lab.switch(PEER, up=False)
    lab.show("the other link down")
    lab.switch(PEER, up=True)
    prepare()
    lab.step("delete the link", rt.RTM_DELLINK, rt.IfInfoMsg(index=VETH).pack())
    lab.show("without links")


@case(privileged=True, marks=ROUTE)
def hops_over_links_that_go(world: World, log: Log) -> None:
    """IPv4 next hops over a link that is down are dead. A route without other next hops is deleted."""
    lab = Tabled(world, log, veth=True)
    lab.up()
    for text, index in (("10.0.0.1/24", VETH), ("10.0.1.1/24", PEER)):
        lab.step(f"address {text}", rt.RTM_NEWADDR, ifaddr(text, index), CREATE)

    def prepare() -> None:
        over = hop4(extra=attr(rt.RTA_GATEWAY, bytes((10, 0, 1, 21))))
        lab.route("over both", "10.2.0.0/16", ADD, extra=several(hop4(11, weight=3), over))
        lab.route("over one", "10.3.0.0/16", ADD, extra=several(hop4(11), hop4(12)))
        lab.route("over the other", "10.4.0.0/16", ADD, via="10.0.1.5")
        lab.route("in a table", "10.2.0.0/16", ADD, extra=several(over, hop4(11)), table=77)
        lab.route("reject", "10.5.0.0/16", ADD, type=rt.RTN_PROHIBIT)
        lab.route("local", "10.6.0.1", ADD, dev=VETH, type=rt.RTN_LOCAL, scope=254, table=255)
        lab.route("source", "10.7.0.0/16", ADD, dev=PEER, scope=LINK, prefsrc="10.0.0.1")
        lab.route("source in a table", "10.7.0.0/16", ADD, dev=PEER, scope=LINK, prefsrc="10.0.0.1", table=77)
        lab.route("links", "10.8.0.0/16", ADD, scope=LINK, extra=several(hop4(dev=VETH), hop4(dev=PEER)))
        lab.show("all")

    prepare()
    for index in (VETH, PEER):
        lab.switch(index, up=False)
        lab.show(f"{index} down")
        lab.switch(index, up=True)
        lab.show(f"{index} up")
        prepare()
    for index in (VETH, PEER):
        lab.switch(index, up=False)
        lab.show(f"{index} down")
    for index in (PEER, VETH):
        lab.switch(index, up=True)
        lab.show(f"{index} up")
    prepare()
    lab.step("address", rt.RTM_NEWADDR, ifaddr("10.0.0.9/24"), CREATE)
    for text, index in (("10.0.0.1/24", VETH), ("10.0.1.1/24", PEER)):
        lab.step(f"delete {text}", rt.RTM_DELADDR, ifaddr(text, index))
        lab.show(f"without {text}")
    prepare()
    lab.step("delete the link", rt.RTM_DELLINK, rt.IfInfoMsg(index=VETH).pack())
    lab.show("without links")


METRICS: Final = {
    **{
        f"{type} {value}": attr(type, u32(value))
        for type in range(1, 19)
        for value in (0, 1, 255, 65520, 2**31)
    },
    **{f"features {bit}": attr(12, u32(1 << bit)) for bit in range(8)},
    **{f"size {size}": attr(2, bytes(size)) for size in (0, 2, 3, 5, 8)},
    **{
        f"algorithm {name.decode()!r}": attr(16, name)
        for name in (b"cubic\0", b"reno", b"cubi\0", b"\0", b"")
    },
    "nested": attr(2 | 0x8000, u32(5)),
    "two": attr(3, u32(7)) + attr(2, u32(6)) + attr(3, u32(8)),
    "zero type": attr(0, u32(5)) + attr(2, u32(1300)),
    "rest": attr(2, u32(1300)) + b"\1\0\0",
}


@case(privileged=True, marks=ROUTE)
def metrics_of_routes(world: World, log: Log) -> None:
    """Metrics of a route, with the values that the kernel accepts. RTM_DELROUTE compares the metrics with
    those of the request. If the MTU of a link changes, MTU metrics of IPv6 routes change too.
    """
    for family, to in ((AF_INET, TO4), (AF_INET6, TO6)):
        lab = Tabled(world, log, family, veth=family == AF_INET, portid=family)
        lab.up()
        for label, data in METRICS.items():
            extra = attr(8, data)
            lab.route(f"{family} {label}", to, dev=VETH, scope=LINK, extra=extra)
            lab.unroute(f"{family} delete {label}", to, extra=extra)
            delete_all(lab, to)
    mtus = {"none": b"", "same": attr(2, u32(1500)), "low": attr(2, u32(1290)), "high": attr(2, u32(9000))}
    mtus["locked"] = attr(2, u32(1500)) + attr(1, u32(4))
    mtus["another lock"] = attr(2, u32(1500)) + attr(1, u32(8))
    for number, (label, data) in enumerate(mtus.items()):
        for dev in (VETH, PEER):
            lab.route(label, f"2001:db8:{number}:{dev}::/64", dev=dev, extra=attr(8, data) if data else b"")
    for mtu in (1400, 1400, 1300, 2000, 1500, 1280):
        lab.quietly(rt.RTM_SETLINK, rt.IfInfoMsg(index=VETH).pack() + attr(il.IFLA_MTU, u32(mtu)))
        lab.show(f"mtu {mtu}")


@case(privileged=True, marks=ROUTE)
def gateways_of_routes(world: World, log: Log) -> None:
    """Type, flags, device and table of a new route decide whether the kernel accepts the gateway."""
    for family, one, two, gateways in (
        (AF_INET, "10.0.0.1/24", "10.0.1.1/24", GATEWAYS4),
        (AF_INET6, "2001:db8::1/64", "2001:db8:9::1/64", GATEWAYS6),
    ):
        lab = Tabled(world, log, family, veth=family == AF_INET, portid=family)
        lab.up(LO, VETH)
        to, apart = (TO4, "10.3.0.0/16") if family == AF_INET else (TO6, "2001:db8:3::/48")
        lab.step("address", rt.RTM_NEWADDR, ifaddr(one, VETH), CREATE)
        if family == AF_INET6:
            lab.step("link-local", rt.RTM_NEWADDR, ifaddr("fe80::1/64", VETH), CREATE)
        lab.route("of a table", apart, dev=VETH, scope=LINK, table=77)
        lab.route("rejecting", gateways[-2] + ("/32" if family == AF_INET else "/128"), type=rt.RTN_PROHIBIT)
        for up in (False, True):
            if up:
                lab.up(PEER)
                lab.step("address", rt.RTM_NEWADDR, ifaddr(two, PEER), CREATE)
            for flags in (0, rt.RTNH_F_ONLINK):
                hop = hop4 if family == AF_INET else hop6
                hops = several(hop(8, VETH, flags=flags), hop(9, VETH))
                lab.route(f"{up} two hops {flags}", to, ADD, rtm_flags=flags, extra=hops)
                lab.show(f"{up} with two hops {flags}")
                delete_all(lab, to)
            for via, dev, flags in product(gateways, (0, LO, VETH, PEER, 99), (0, rt.RTNH_F_ONLINK)):
                lab.route(f"{up} {via} {dev} {flags}", to, ADD, via=via, dev=dev, rtm_flags=flags)
                delete_all(lab, to)
            for via in gateways:
                lab.route(f"{up} {via} in a table", to, ADD, via=via, table=77)
                lab.route(f"{up} {via} in another", to, ADD, via=via, table=78)
                lab.route(f"{up} {via} link scope", to, ADD, via=via, scope=LINK)
                lab.route(
                    f"{up} {via} link scope, onlink", to, ADD, via=via, scope=LINK, dev=VETH, rtm_flags=4
                )
                lab.route(f"{up} {via} local", to, ADD, via=via, type=rt.RTN_LOCAL, scope=254)
                lab.route(f"{up} {via} source", to, ADD, via=via, prefsrc=one.partition("/")[0])
                lab.route(f"{up} {via} other source", to, ADD, via=via, prefsrc=two.partition("/")[0])
                delete_all(lab, to, ({}, {"table": 77}, {"table": 78}))


GATEWAYS4: Final = (
    *(
        "10.0.0.1",
        "10.0.0.2",
        "10.0.1.2",
        "10.0.0.255",
        "10.3.0.9",
        "127.0.0.1",
        "224.0.0.1",
        "255.255.255.255",
    ),
    *("10.9.9.9", "0.0.0.0"),
)
GATEWAYS6: Final = (
    *("2001:db8::1", "2001:db8::2", "2001:db8:9::2", "fe80::1", "fe80::2", "2001:db8:3::9", "::1", "ff02::1"),
    *("2001:db8:9::1", "2001:db8:77::9", "::"),
)


@case(privileged=True, marks=FILES)
def files_of_routes(world: World, log: Log) -> None:
    """/proc/net/route and /proc/net/ipv6_route show flags, metrics and masks of all kinds of routes."""
    lab = Tabled(world, log, veth=True)
    log("before", [world.read_file(f"/proc/net/{name}") for name in ("route", "ipv6_route")])
    lab.up()
    lab.step("address", rt.RTM_NEWADDR, ifaddr("10.0.0.1/24"), CREATE)
    lab.step("address", rt.RTM_NEWADDR, ifaddr("2001:db8::1/64"), CREATE)
    lab.step("lifetime", rt.RTM_NEWADDR, ifaddr("2001:db8:77::1/64", VETH, lifetimes(500, 900)), CREATE)
    lab.step("permanent", rt.RTM_NEWADDR, ifaddr("2001:db8:78::1/64"), CREATE)
    lab.step("with a lifetime", rt.RTM_NEWADDR, ifaddr("2001:db8:78::1/64", VETH, lifetimes(500, 900)), 0x500)
    lab.settle()
    for number, metric in enumerate((0, 1, 2**31 - 1, 2**31, 2**32 - 1)):
        lab.route(f"metric {metric}", f"10.{number}.0.0/16", ADD, via="10.0.0.9", metric=metric)
        lab.route(
            f"metric {metric}", f"2001:db8:{number}::/48", ADD, dev=VETH, metric=metric, family=AF_INET6
        )
    for bits in (1, 8, 15, 31, 32):
        lab.route(f"prefix {bits}", f"128.0.0.0/{bits}", ADD, dev=VETH, scope=LINK)
    for type in range(12):
        lab.route(
            f"type {type}", f"11.{type}.0.0/16", ADD, type=type, dev=0 if 5 < type < 10 else VETH, scope=254
        )
        lab.route(
            f"type {type}", f"12.{type}.0.0/16", ADD, type=type, scope=LINK, dev=VETH if type < 6 else 0
        )
        lab.route(f"type {type}", f"2001:db9:{type}::/48", ADD, type=type, dev=VETH, family=AF_INET6)
    for number, data in enumerate((attr(2, u32(1400)), attr(8, u32(1)), attr(3, u32(9)), attr(4, u32(79)))):
        lab.route("metrics", f"13.{number}.0.0/16", ADD, dev=VETH, scope=LINK, extra=attr(8, data))
    lab.route("two", "14.0.0.0/8", ADD, extra=several(hop4(8), hop4(9)))
    lab.route("gateway", "2001:dba::/48", ADD, via="2001:db8::9", family=AF_INET6)
    lab.route("preference", "2001:dbb::/48", ADD, dev=VETH, extra=attr(rt.RTA_PREF, b"\3"), family=AF_INET6)
    lab.route("expires", "2001:dbc::/48", ADD, dev=VETH, extra=attr(rt.RTA_EXPIRES, u32(99)), family=AF_INET6)
    lab.route("default", "", ADD, dev=VETH, family=AF_INET6)
    lab.route("in a table", "2001:dbd::/48", ADD, dev=VETH, family=AF_INET6, table=9)
    log("IPv4", world.read_file("/proc/net/route").splitlines())
    lines = world.read_file("/proc/net/ipv6_route").splitlines()
    log("IPv6, without references", [line[:114] + line[123:] for line in lines])
    lab.switch(PEER, up=False)
    log("IPv4, no carrier", world.read_file("/proc/net/route").splitlines())
    lab.switch(VETH, up=False)
    log("IPv4, down", world.read_file("/proc/net/route").splitlines())


@case(privileged=True, marks=ROUTE)
def nodes_of_deleted_routes6(world: World, log: Log) -> None:
    """RTM_DELROUTE with RTM_F_CLONED deletes no route and causes no notification. It succeeds if the IPv6
    routing tree has a node for the prefix. Otherwise it fails with ESRCH.
    """
    lab = Tabled(world, log, AF_INET6, veth=True)
    lab.up()
    for to in (
        "2001:db8:4::/48",
        "2001:db8:5::/48",
        "2001:db8:8::/48",
        "2001:db8:8:1::/64",
        "2001:db8:8:2::/64",
    ):
        lab.route(to, to, dev=VETH)
    for to in ("2001:db8:3::/48", "2001:db8:8::/48"):
        lab.route(f"{to} from a prefix", to, dev=VETH, source="2001:db8::/32")
    places = ("", "2001:db8::/32", "2001:db8:4::/46", "2001:db8:4::/47", "2001:db8:4::/48", "2001:db8:3::/48")
    places = (
        *places,
        "2001:db8:8::/48",
        "2001:db8:8::/62",
        "2001:db8:8::/63",
        "2001:db8:8:1::/64",
        "3000::/4",
    )
    for to, source, flags in product(places, ("", "2001:db8::/32", "2001:db9::/32"), (0, rt.RTM_F_CLONED)):
        for more in ({"proto": 77}, {"proto": 0, "dev": PEER}, {"proto": 0, "metric": 9}):
            lab.unroute(f"{to} {source} {flags} {more}", to, source=source, rtm_flags=flags, **more)
        if flags:
            lab.unroute(f"{to} {source} cached", to, source=source, rtm_flags=flags)
    lab.show("all")
