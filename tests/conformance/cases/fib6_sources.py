"""NETLINK_ROUTE: IPv6 routes with a source prefix, and requests with several errors."""

from __future__ import annotations

import struct

from simkernel.uapi import rtnetlink as rt
from simkernel.uapi.socket import AF_INET6
from tests.conformance.case import case
from tests.conformance.cases.fib_lab import CREATE, FILES, PEER, REPLACE, ROUTE, VETH, Lab
from tests.conformance.cases.found_links import mask_ages
from tests.conformance.log import Log
from tests.conformance.wire import attr, u32
from tests.conformance.world import World

SOURCES = ("2001:db8::1", "2001:db8:1::1", "")
MATCH = rt.RTM_F_FIB_MATCH


def laboratory(world: World, log: Log) -> Lab:
    """Return a test network (Lab) with two links that are up and have IPv6 addresses."""
    log.mask = mask_ages
    lab = Lab(world, log, AF_INET6, veth=True)
    for index, address in ((VETH, "2001:db8::1/64"), (PEER, "2001:db8:1::1/64")):
        lab.link(index, True)
        lab.address(address, index)
    return lab


@case(privileged=True, marks=ROUTE)
def lookups_by_source(world: World, log: Log) -> None:
    """Among IPv6 routes to a destination, a lookup prefers the route with a source prefix that contains the
    packet's source address.
    """
    lab = laboratory(world, log)

    def get(to: str) -> None:
        for source in SOURCES:
            lab.get(f"{to} from {source}", to, source=source)

    lab.new("source", "2001:db8:4::/48", source="2001:db8::/64", dev=VETH)
    lab.new("wider source", "2001:db8:4::/48", source="2001:db8::/48", dev=PEER, metric=5)
    lab.new("any source", "2001:db8:4::/48", dev=PEER)
    lab.new("above", "2001:db8::/32", dev=VETH, metric=9)
    get("2001:db8:4::9")
    lab.new("below", "2001:db8:4:5::/64", dev=VETH, metric=9)
    lab.new("below by source", "2001:db8:4:5::/64", source="2001:db8:1::/64", dev=PEER)
    get("2001:db8:4:5::9")
    lab.delete("below", "2001:db8:4:5::/64")
    get("2001:db8:4:5::9")
    lab.new("default by source", "", source="2001:db8:1::/64", dev=PEER)
    lab.new("no default by source", "", source="2001:db8::/64", type=rt.RTN_UNREACHABLE)
    get("2001:db9::9")
    lab.new("default", "", dev=VETH)
    get("2001:db9::9")
    for source in SOURCES:
        lab.get(f"match {source}", "2001:db8:4:5::9", source=source, rtm_flags=MATCH)
        lab.get(f"over {source}", "2001:db8:4:5::9", source=source, dev=PEER)
        lab.get(f"from link {source}", "2001:db8:4:5::9", source=source, extra=attr(rt.RTA_IIF, u32(PEER)))
    lab.new("no default", "2001:db8:5::/48", type=rt.RTN_UNREACHABLE)
    for index, prefsrc in ((VETH, "2001:db8::1"), (PEER, "2001:db8:1::1")):
        lab.new(f"by source {index}", "2001:db8:5::/48", source=f"{prefsrc}/128", dev=index)
        more = {"via": "2001:db8:5::1", "prefsrc": prefsrc}
        for dev in (0, VETH, PEER):
            to = f"2001:dbc:{index}:{dev}::/64"
            lab.new("gateway by source", to, dev=dev, **more)
            lab.new("on link by source", to, CREATE | REPLACE, dev=dev, rtm_flags=rt.RTNH_F_ONLINK, **more)
    lab.new("gateway", "2001:dba::/48", via="2001:db8:4::1")
    lab.new("gateway for prefsrc", "2001:dbb::/48", via="2001:db8:4::1", prefsrc="2001:db8::1", table=100)
    lab.dump("all")
    lab.link(PEER, False)
    lab.dump("rest")


@case(privileged=True, marks=ROUTE)
def source_routes_replaced(world: World, log: Log) -> None:
    """A request to replace an IPv6 route fails with ENOENT if no route matches. The error has an extack
    message if the routing tree has no node for the destination prefix or source prefix of the request. A
    point at which the tree branches is a node too.
    """
    lab = laboratory(world, log)
    to = "2001:db8:4::/48"
    lab.new("source", to, source="2001:db8:9::/48", dev=VETH)
    lab.new("replace any source", to, REPLACE, dev=VETH)
    lab.new("replace another source", to, REPLACE, source="2001:db8:8::/48", dev=VETH)
    lab.new("another source", to, source="2001:db8:8::/48", dev=VETH)
    lab.delete("cached", to, rtm_flags=rt.RTM_F_CLONED)
    lab.new("replace a fork", to, REPLACE, source="2001:db8:8::/47", dev=VETH)
    lab.new("replace nothing", "2001:db8:44::/48", REPLACE, source="2001:db8:8::/47", dev=VETH)
    lab.new("replace above", "2001:db8:4::/47", REPLACE, source="2001:db8:8::/47", dev=VETH)
    lab.new("replace a default", "", REPLACE, source="2001:db8:8::/47", dev=VETH)
    lab.new("no flags", "2001:db8:46::/48", 0, dev=VETH)
    lab.delete("cached at a fork", "2001:db8:44::/46", rtm_flags=rt.RTM_F_CLONED)
    lab.delete("cached above", "2001:db8::/31", rtm_flags=rt.RTM_F_CLONED)


@case(privileged=True, marks=ROUTE)
def requests_wrong_twice6(world: World, log: Log) -> None:
    """The kernel creates the table of an IPv6 route before it checks the metrics and the next hop. The table
    stays if these are invalid. If a request has several next hops, the error is about the first invalid next
    hop.
    """
    lab = laboratory(world, log)
    to = "2001:db8:2::/48"
    lab.new("flow label", to, dev=VETH, extra=attr(rt.RTA_FLOWLABEL, u32(5)))
    lab.delete("flow label", to, dev=VETH, extra=attr(rt.RTA_FLOWLABEL, u32(5)))
    nexthop = attr(rt.RTA_NH_ID, u32(5))
    lab.new("id and metrics", to, extra=nexthop + attr(rt.RTA_METRICS, attr(40, u32(1))), table=77)
    lab.delete("from its table", to, table=77)
    lab.new("id and source", to, source="2001:db8:9::/48", extra=nexthop, table=78)
    lab.delete("from no table", to, table=78)
    short = struct.pack("<HBBi", 16, 0, 0, VETH) + attr(rt.RTA_GATEWAY, bytes(4))
    hops = attr(rt.RTA_MULTIPATH, struct.pack("<HBBi", 8, 0, 0, VETH) + short)
    lab.new("no gateway, then a short one", to, extra=hops)
    lab.delete("no gateway, then a short one", to, extra=hops)
    for index, address in ((PEER, "2001:db8::5/64"), (VETH, "2001:db8:1::5/64")):
        lab.address(address, index, flags=4)  # IFA_F_OPTIMISTIC
        lab.new(f"optimistic source {index}", to, dev=index, prefsrc=address[:-3])
    lab.address("2001:db8::b/64", VETH, flags=0)
    lab.new("tentative source", "2001:db8:8::/48", dev=VETH, prefsrc="2001:db8::b")
    lab.get("no address", extra=attr(rt.RTA_DST, b""))
    lab.get("no source", "2001:db8::1", extra=attr(rt.RTA_SRC, b""))
    lab.get("multicast from link", "ff02::1", extra=attr(rt.RTA_IIF, u32(VETH)))
    lab.get("match it", "ff02::1", extra=attr(rt.RTA_IIF, u32(VETH)), rtm_flags=MATCH)


@case(privileged=True, marks=FILES)
def lifetimes(world: World, log: Log) -> None:
    """Every value of RTA_EXPIRES except the largest one sets a lifetime. The replies to lookups do not
    contain the lifetime.
    """
    lab = laboratory(world, log)
    for seconds in (2**31 - 1, 2**31, 2**32 - 2, 2**32 - 1):
        more = attr(rt.RTA_EXPIRES, u32(seconds))
        lab.new(f"{seconds}", "2001:db8:5::/48", CREATE | REPLACE, dev=VETH, extra=more)
        lab.get("it", "2001:db8:5::1")
        lines = world.read_file("/proc/net/ipv6_route").decode().splitlines()
        log("file", [line for line in lines if line.startswith("20010db80005")])
