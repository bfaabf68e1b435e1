"""NETLINK_ROUTE: IPv4 routes that change by requests, or because links and addresses change."""

from __future__ import annotations

from simkernel.uapi import if_addr as ia
from simkernel.uapi import rtnetlink as rt
from simkernel.uapi.socket import AF_UNSPEC
from tests.conformance.case import case
from tests.conformance.cases.fib_lab import (
    APPEND,
    CREATE,
    EXCL,
    HOST,
    LINK,
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
)
from tests.conformance.cases.found_links import mask_ages
from tests.conformance.log import Log
from tests.conformance.wire import ECHO, attr, u32
from tests.conformance.world import World

# -- IPv4: automatic routes ------------------------------------------------------


@case(privileged=True, marks=ROUTE)
def loopback_routes(world: World, log: Log) -> None:
    """The kernel adds the routes of 127.0.0.1 when `lo` comes up, and deletes them when it goes down."""
    lab = Lab(world, log)
    for up in (True, False, True):
        lab.link(LO, up)
        lab.dump("all")
    lab.address("127.0.0.1/8", LO, add=False)
    lab.dump("without address")


@case(privileged=True, marks=ROUTE)
def address_routes(world: World, log: Log) -> None:
    """For an IPv4 address, the kernel adds prefix, local and broadcast routes. These routes depend on whether
    the address is secondary, has a peer or has a metric.
    """
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
    """If addresses of two links have the same prefix, the main table has two routes for this prefix, in the
    order of their creation. When the first link goes down, the kernel deletes the route over this link.
    """
    lab = Lab(world, log, veth=True)
    lab.links_up()
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
    """Routes through a link are deleted when the link goes down or is deleted. Other routes stay."""
    lab = Lab(world, log, veth=True)
    lab.links_up()
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
    """If a link has no carrier, its IPv4 routes have RTNH_F_LINKDOWN, except local routes. The link is a veth
    whose peer is down.
    """
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
    """If an address is deleted, the kernel also deletes the routes that have it as preferred source, and
    sends RTM_DELROUTE.
    """
    lab = Lab(world, log, veth=True)
    lab.links_up()
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
    """Errors of RTM_NEWROUTE and RTM_DELROUTE."""
    lab = Lab(world, log, veth=True)
    lab.link(LO, True)
    lab.link(VETH, True)
    lab.address("10.0.0.1/24", VETH)
    via = attr(rt.RTA_VIA, b"\2\0" + packed("10.0.0.2"))
    nexthops = hop("10.0.0.2", VETH)
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
    """Effect of NLM_F_CREATE, EXCL, REPLACE and APPEND on routes of one prefix."""
    lab = Lab(world, log, veth=True)
    lab.links_up()
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
    """Requests that add, look up and delete IPv4 routes with RTA_METRICS, RTA_FLOW or RTA_VIA."""
    lab = Lab(world, log, veth=True)
    lab.links_up()
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
    """RTA_MULTIPATH: weights, flags, a next hop whose link goes down, errors and deletion."""
    lab = Lab(world, log, veth=True)
    lab.links_up()
    lab.address("10.0.0.1/24", VETH)
    lab.address("10.5.0.1/24", PEER)

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
    """The first route of a table creates the table, which then stays. Dumps can select one table."""
    lab = Lab(world, log, veth=True)
    lab.links_up()
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
    """RTM_GETROUTE returns the route to an address, or the error of the lookup."""
    lab = Lab(world, log, veth=True)
    lab.get("before", "10.0.0.1")
    lab.links_up()
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


@case(privileged=True, marks=ROUTE)
def multipath_deleted(world: World, log: Log) -> None:
    """RTM_DELROUTE with RTA_MULTIPATH: a next hop with gateway 0.0.0.0 does not match a route without a
    gateway. An invalid next hop matches no route.
    """
    lab = Lab(world, log, veth=True)
    lab.link(VETH, True)
    lab.link(PEER, True)
    lab.address("10.0.0.1/24", VETH)
    lab.new("link", "10.9.0.0/24", dev=VETH, scope=LINK)
    short, both = (
        attr(rt.RTA_GATEWAY, b""),
        attr(rt.RTA_GATEWAY, bytes(4)) + attr(rt.RTA_VIA, b"\2\0" + bytes(4)),
    )
    for label, inner in (
        ("0.0.0.0", attr(rt.RTA_GATEWAY, bytes(4))),
        ("short flow", attr(rt.RTA_FLOW, b"\1\0")),
        ("short gateway", short),
        ("gateway and via", both),
        ("via", attr(rt.RTA_VIA, b"\2\0" + packed("10.0.0.2"))),
    ):
        hop = rt.RtNextHop(8 + len(inner), 0, 0, VETH).pack() + inner
        lab.delete(label, "10.9.0.0/24", extra=attr(rt.RTA_MULTIPATH, hop))


@case(privileged=True, marks=ROUTE)
def cached_routes(world: World, log: Log) -> None:
    """A cached route keeps RTM_F_NOTIFY until the cache is invalidated: by a new route, or by deletion of a
    route that a lookup has used.
    """
    log.mask = mask_ages
    lab = Lab(world, log, veth=True)
    lab.link(VETH, True)
    lab.link(PEER, True)
    lab.address("10.0.0.1/24", VETH)
    for number in (1, 2, 3):
        lab.new(f"{number}", f"10.{number}.0.0/24", dev=VETH, scope=LINK)

    def get(label: str, *, notify: bool = False) -> None:
        lab.get(label, "10.1.0.5", rtm_flags=rt.RTM_F_NOTIFY if notify else 0)

    get("notify", notify=True)
    lab.delete("not met", "10.2.0.0/24")
    get("still")
    lab.get("another", "10.3.0.5")
    lab.delete("met", "10.3.0.0/24")
    get("not any more")
    get("notify", notify=True)
    lab.new("exists", "10.1.0.0/24", dev=VETH, scope=LINK)
    get("still")
    lab.new("4", "10.4.0.0/24", dev=VETH, scope=LINK)
    get("not any more")
    for label in ("not met", "met"):
        get("notify", notify=True)
        lab.new(f"replace {label}", "10.4.0.0/24", REPLACE, dev=VETH, scope=LINK, proto=len(label))
        get(label)
        lab.get("meet", "10.4.0.5")
