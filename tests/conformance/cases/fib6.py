"""NETLINK_ROUTE: IPv6 routes that change by requests, or because links and addresses change."""

from __future__ import annotations

from simkernel.uapi import if_addr as ia
from simkernel.uapi import if_link as il
from simkernel.uapi import neighbour as nb
from simkernel.uapi import rtnetlink as rt
from simkernel.uapi.socket import AF_INET, AF_INET6
from tests.conformance.case import case
from tests.conformance.cases.fib_lab import (
    APPEND,
    CREATE,
    EXCL,
    LO,
    LOCAL,
    MAIN,
    NEW,
    PEER,
    REPLACE,
    ROUTE,
    VETH,
    Lab,
    hop,
    packed,
    route,
)
from tests.conformance.cases.found_links import mask_ages
from tests.conformance.log import Log
from tests.conformance.wire import DUMP, ECHO, NESTED, attr, u32
from tests.conformance.world import World

# -- IPv6 ------------------------------------------------------------------------------


@case(privileged=True, marks=ROUTE)
def loopback_routes6(world: World, log: Log) -> None:
    """The kernel adds the routes of ::1 when `lo` comes up, and deletes them when it goes down."""
    lab = Lab(world, log, AF_INET6)
    for up in (True, False, True):
        lab.link(LO, up)
        lab.dump("all")
    lab.address("::1/128", LO, add=False)
    lab.dump("without address")


@case(privileged=True, marks=ROUTE)
def address_routes6(world: World, log: Log) -> None:
    """For an IPv6 address, the kernel adds prefix, host and multicast routes. These routes depend on whether
    the address has a peer or a metric.
    """
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
    """IPv6 routes through a link are deleted when the link goes down or is deleted. Other routes stay."""
    lab = Lab(world, log, AF_INET6, veth=True)
    lab.links_up()
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
    """IPv6 routes have RTNH_F_LINKDOWN if the link has no carrier, except local routes."""
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
    """Errors of RTM_NEWROUTE and RTM_DELROUTE for IPv6."""
    lab = Lab(world, log, AF_INET6, veth=True)
    lab.link(LO, True)
    lab.link(VETH, True)
    lab.address("2001:db8::1/64", VETH)
    to = "2001:db8:1::/48"
    nexthops = hop("2001:db8::2", VETH)
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
    """Effect of NLM_F_CREATE, EXCL, REPLACE and APPEND on IPv6 routes, which can become siblings."""
    lab = Lab(world, log, AF_INET6, veth=True)
    lab.links_up()
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
    """RTA_MULTIPATH for IPv6: the kernel creates a separate route for each next hop, but one message
    describes all of them.
    """
    lab = Lab(world, log, AF_INET6, veth=True)
    lab.links_up()
    lab.address("2001:db8::1/64", VETH)
    lab.address("2001:db8:5::1/64", PEER)

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
    """RTM_GETROUTE returns the IPv6 route to an address, or the error of the lookup."""
    lab = Lab(world, log, AF_INET6, veth=True)
    lab.get("before", "2001:db8::1")
    lab.links_up()
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
    """Among several default routes, the kernel selects one by the neighbour states of the gateways and by its
    previous selection.
    """
    for family, own, gateways, to in (
        (AF_INET, "10.0.0.1/24", ("10.0.0.2", "10.0.0.3", "10.0.0.4"), "8.8.8.8"),
        (AF_INET6, "2001:db8::1/64", ("2001:db8::2", "2001:db8::3", "2001:db8::4"), "2001:db9::1"),
    ):
        lab = Lab(world, log, family, portid=family, veth=family == AF_INET)
        lab.links_up()
        lab.address(own, VETH)
        for number, gateway in enumerate(gateways):
            # The IPv6 routes have different metrics. Among equal metrics, a hash would select the route.
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


@case(privileged=True, marks=ROUTE)
def default_routes_counted(world: World, log: Log) -> None:
    """The kernel counts the IPv4 default routes of a table. If a link goes down, the kernel deletes the
    link's routes but does not decrease this count. If the count is at least 2 and a lookup finds only one
    default route, the kernel forgets which default route it selected last.
    """
    log.mask = mask_ages
    lab = Lab(world, log, veth=True)
    lab.link(VETH, True)
    lab.link(PEER, True)
    lab.address("10.0.0.1/24", VETH)
    for number in (2, 3):
        head = nb.NdMsg(AF_INET, index=VETH, state=nb.NUD_STALE).pack()
        to, link_layer = packed(f"10.0.0.{number}"), b"\2\0\0\0\0\x09"
        body = head + attr(nb.NDA_DST, to) + attr(nb.NDA_LLADDR, link_layer)
        lab.quietly(rt.RTM_NEWNEIGH, body, CREATE)
    for gets in (2, 1, 0):
        lab.new("first", via="10.0.0.2")
        lab.new("second", "", CREATE | APPEND, via="10.0.0.3")
        for _ in range(gets + 2):
            lab.get("either", "8.8.8.8")
        lab.delete("second", via="10.0.0.3")
        for _ in range(gets):
            lab.get("first", "8.8.8.8")
    lab.link(VETH, False)
    lab.link(VETH, True)
    lab.new("after a flush", via="10.0.0.2")
    lab.get("first", "8.8.8.8")
    lab.get("first", "8.8.8.8")


@case(privileged=True, marks=ROUTE)
def metrics_follow_the_mtu6(world: World, log: Log) -> None:
    """If the MTU of a link changes, the kernel changes the MTU metrics of its IPv6 routes to the new MTU.
    Metrics below the new MTU stay, unless they equal the old MTU. Locked metrics stay too.
    """
    lab = Lab(world, log, AF_INET6, veth=True)
    lab.link(VETH, True)
    lab.link(PEER, True)
    smaller, standard, larger = (attr(rt.RTAX_MTU, u32(size)) for size in (1300, 1500, 65536))
    lock = attr(rt.RTAX_LOCK, u32(1 << rt.RTAX_MTU))
    for number, metrics in enumerate((smaller, standard, larger, lock + standard, b"")):
        extra = attr(rt.RTA_METRICS | NESTED, metrics) if metrics else b""
        lab.new(f"route {number}", f"2001:db8:{number}::/48", dev=VETH, extra=extra)

    def mtu(size: int) -> None:
        body = rt.IfInfoMsg(index=VETH).pack() + attr(il.IFLA_MTU, u32(size))
        lab.ask(f"MTU {size}", rt.RTM_SETLINK, body)
        lab.ask("routes", rt.RTM_GETROUTE, route(family=AF_INET6), DUMP)

    for size in (9000, 1400, 1500, 1280):
        mtu(size)
    lab.link(VETH, False)
    mtu(2000)
    lab.link(VETH, True)
    mtu(1900)


@case(privileged=True, marks=ROUTE)
def metrics_stay_when_a_link_becomes_ready6(world: World, log: Log) -> None:
    """When a link gets its carrier, the MTU metrics of its IPv6 routes stay, even if they exceed the link's
    MTU. The kernel adjusts them only if IPv6 still stores an older MTU of the link.
    """
    lab = Lab(world, log, AF_INET6, veth=True)
    lab.link(VETH, True)
    larger = attr(rt.RTA_METRICS | NESTED, attr(rt.RTAX_MTU, u32(9000)))
    lab.new("larger", "2001:db8::/48", dev=VETH, extra=larger)
    lab.link(PEER, True)
    lab.ask("routes", rt.RTM_GETROUTE, route(family=AF_INET6), DUMP)
