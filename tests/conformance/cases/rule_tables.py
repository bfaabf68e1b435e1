"""NETLINK_ROUTE: many lookups by routing rules, rules with link names, and namespace ids."""

from __future__ import annotations

import struct
from itertools import product
from typing import Any, Final

from simkernel.uapi import fib_rules as fr
from simkernel.uapi import if_link as il
from simkernel.uapi import net_namespace as ns
from simkernel.uapi import rtnetlink as rt
from simkernel.uapi.fib_rules import FibRuleHdr
from simkernel.uapi.socket import AF_INET, AF_INET6
from tests.conformance.case import case
from tests.conformance.cases.fib_lab import LINK, LO, MAIN, PEER, ROUTE, VETH
from tests.conformance.cases.fib_rules import number, rule
from tests.conformance.cases.lookup_tables import table_of
from tests.conformance.cases.route_tables import several
from tests.conformance.cases.tabled import CREATE, Tabled, ifaddr
from tests.conformance.log import Log
from tests.conformance.wire import DUMP, attr, u32
from tests.conformance.world import World

TO: Final = {AF_INET: "10.9.9.9", AF_INET6: "2001:db8:9::9"}
NEW, DEL = rt.RTM_NEWRULE, rt.RTM_DELRULE


def prepared(world: World, log: Log, family: int, *, veth: bool = True) -> Tabled:
    """Return a test network with a route in each of the tables 1, 2 and 3. The metric of each route is the
    number of its table.
    """
    lab = Tabled(world, log, family, veth=veth, portid=family)
    lab.up()
    everything = "10.0.0.0/8" if family == AF_INET else "2001:db8::/32"
    for table in (1, 2, 3):
        lab.route(f"table {table}", everything, dev=VETH, scope=LINK, table=table, metric=table)
    return lab


def looked(lab: Tabled, columns: dict[str, dict[str, Any]]) -> None:
    """Look up the route to an address with RTM_F_FIB_MATCH, and log the results. They show which table the
    rules selected.
    """
    table_of(lab, (TO[lab.family],), columns, rtm_flags=rt.RTM_F_FIB_MATCH)


@case(privileged=True, marks=ROUTE)
def rules_of_tos(world: World, log: Log) -> None:
    """For rules with a TOS or DSCP, IPv4 and IPv6 compare different bits of the lookup's TOS."""
    for family in (AF_INET, AF_INET6):
        lab = prepared(world, log, family, veth=family == AF_INET)
        lookups = {
            f"tos {tos:#x}": {"tos": tos}
            for tos in (0, 1, 3, 4, 8, 0x10, 0x13, 0x1C, 0x20, 0x30, 0x90, 0xB8, 0xFF)
        }
        for label, header, more in (
            *((f"tos {tos:#x}", {"tos": tos}, b"") for tos in (4, 0x10, 0x1C, 0x30, 0x90, 0xB8)),
            *((f"dscp {value}", {}, attr(fr.FRA_DSCP, bytes((value,)))) for value in (0, 1, 4, 0x24, 0x3F)),
        ):
            for flags in (0, fr.FIB_RULE_INVERT):
                body = rule(family, number(fr.FRA_PRIORITY, 5), more, table=1, flags=flags, **header)
                lab.step(f"{family} {label} {flags}", NEW, body, CREATE)
                looked(lab, lookups)
                lab.step(f"{family} delete {label}", DEL, body)


def add(lab: Tabled, label: str, *attributes: bytes, **header: int) -> None:
    """Add a routing rule. Then look up a route without and with the firewall mark 7."""
    lab.step(label, NEW, rule(lab.family, *attributes, **header), CREATE)
    looked(lab, {label: {}, f"{label}, mark": {"extra": attr(rt.RTA_MARK, u32(7))}})


def remove(lab: Tabled, label: str, priority: int) -> None:
    """Delete the first rule with a priority. Then look up a route without and with the firewall mark 7."""
    lab.step(label, DEL, rule(lab.family, number(fr.FRA_PRIORITY, priority), table=0, action=0))
    looked(lab, {label: {}, f"{label}, mark": {"extra": attr(rt.RTA_MARK, u32(7))}})


@case(privileged=True, marks=ROUTE)
def rules_with_targets(world: World, log: Log) -> None:
    """If a goto rule matches, the lookup continues at the first rule with the target priority. If no such
    rule exists, it continues at the next rule.
    """
    for family in (AF_INET, AF_INET6):
        lab = prepared(world, log, family, veth=family == AF_INET)

        at, to, mark = fr.FRA_PRIORITY, fr.FRA_GOTO, number(fr.FRA_FWMARK, 7)
        add(lab, "goto nothing", number(at, 10), number(to, 50), table=0, action=fr.FR_ACT_GOTO)
        add(lab, "between", number(at, 20), table=1)
        add(lab, "after", number(at, 60), table=2)
        add(lab, "target", number(at, 50), mark, table=3)
        add(lab, "second target", number(at, 50), table=2)
        add(lab, "nop", number(at, 5), action=fr.FR_ACT_NOP)
        add(lab, "goto of a mark", number(at, 6), number(to, 20), mark, action=fr.FR_ACT_GOTO, table=0)
        add(lab, "goto to itself", number(at, 7), number(to, 7), action=fr.FR_ACT_GOTO)
        lab.log("all", lab.answers(rt.RTM_GETRULE, FibRuleHdr(family).pack(), DUMP))
        for label, priority in (
            ("without target", 50),
            ("without any", 50),
            ("without goto", 10),
            ("end", 20),
        ):
            remove(lab, label, priority)
        lab.log("all", lab.answers(rt.RTM_GETRULE, FibRuleHdr(family).pack(), DUMP))
        add(lab, "permanent", number(at, 30), table=1, flags=fr.FIB_RULE_PERMANENT)
        remove(lab, "permanent", 30)
        for action in range(12):
            add(lab, f"action {action}", number(at, 1), number(fr.FRA_FLOW, 9), action=action, table=2)
            remove(lab, f"action {action}", 1)


@case(privileged=True, marks=ROUTE)
def rules_that_suppress(world: World, log: Log) -> None:
    """A rule can reject the route that it finds, by the route's prefix length or by the group of the route's
    device.
    """
    for family in (AF_INET, AF_INET6):
        lab = prepared(world, log, family, veth=family == AF_INET)
        lab.quietly(rt.RTM_SETLINK, rt.IfInfoMsg(index=VETH).pack() + attr(il.IFLA_GROUP, u32(4)))
        wide, bits = ("10.9.0.0", 16) if family == AF_INET else ("2001:db8:9::", 48)
        lab.route("narrow", f"{wide}/{bits}", dev=PEER, scope=LINK, table=1)
        lab.route("reject", f"{wide}/{bits}", type=rt.RTN_PROHIBIT, table=3)
        for type, value, table in product(
            (fr.FRA_SUPPRESS_PREFIXLEN, fr.FRA_SUPPRESS_IFGROUP),
            (0, 4, 15, 16, 32, 47, 48, 2**32 - 1),
            (1, 2, 3),
        ):
            body = rule(family, number(fr.FRA_PRIORITY, 5), number(type, value), table=table)
            lab.quietly(NEW, body, CREATE)
            looked(lab, {f"{type} {value} {table}": {}})
            lab.quietly(DEL, body)


@case(privileged=True, marks=ROUTE)
def rules_of_links(world: World, log: Log) -> None:
    """If a link is created, renamed or deleted, the kernel updates FIB_RULE_IIF_DETACHED and
    FIB_RULE_OIF_DETACHED in the routing rules that contain the link's name.
    """
    lab = Tabled(world, log, portid=1)
    other = Tabled(world, log, AF_INET6, portid=2)
    names = (b"v0\0", b"p0\0", b"v9\0", b"lo\0", b"\0")
    for each, (one, two) in product((lab, other), product(names, names)):
        body = rule(
            each.family, attr(fr.FRA_IIFNAME, one), attr(fr.FRA_OIFNAME, two), number(fr.FRA_PRIORITY, 9)
        )
        each.step(f"{each.family} {one!r} {two!r}", NEW, body, CREATE)

    def show(label: str) -> None:
        for each in (lab, other):
            each.log(
                f"{label} {each.family}", each.answers(rt.RTM_GETRULE, FibRuleHdr(each.family).pack(), DUMP)
            )

    show("before")
    lab.make_veth()
    show("with links")
    for name in (b"v9\0", b"v8\0", b"v0\0"):
        lab.quietly(rt.RTM_SETLINK, rt.IfInfoMsg(index=VETH).pack() + attr(il.IFLA_IFNAME, name))
        show(f"renamed {name!r}")
    lab.quietly(rt.RTM_DELLINK, rt.IfInfoMsg(index=PEER).pack())
    show("deleted")


@case(privileged=True, marks=(*ROUTE, "namespaces"))
def ids_of_namespaces(world: World, log: Log) -> None:
    """RTM_GETNSID returns the nsids that the caller's namespace has assigned. With NETNSA_TARGET_NSID, it
    returns the nsids that the target namespace has assigned.
    """
    others = [world.namespace(), world.namespace()]
    world.set_nsid(others[0], 5)
    world.set_nsid(others[1], 0)
    others[0].set_nsid(others[1], 8)
    others[1].set_nsid(world, 3)
    lab = Tabled(world, log, groups=(rt.RTNLGRP_NSID,))

    def attribute(type: int, value: int) -> bytes:
        return attr(type, struct.pack("<i", value))

    numbers = (-1, 0, 3, 5, 8, 9)
    for strict in (False, True):
        if strict:
            lab.strict()
        for wanted, target in product(numbers, (None, *numbers)):
            more = b"" if target is None else attribute(ns.NETNSA_TARGET_NSID, target)
            body = bytes(4) + attribute(ns.NETNSA_NSID, wanted) + more
            lab.log(f"{strict} {wanted} in {target}", lab.answers(rt.RTM_GETNSID, body, 0))
        for target in numbers:
            body = bytes(4) + attribute(ns.NETNSA_TARGET_NSID, target)
            lab.log(f"{strict} all in {target}", sorted(lab.answers(rt.RTM_GETNSID, body, DUMP)))
            body += attribute(ns.NETNSA_NSID, 0)
            lab.log(f"{strict} all in {target}, with more", lab.answers(rt.RTM_GETNSID, body, DUMP))
        for label, more in (
            ("nothing", b""),
            ("current", attribute(ns.NETNSA_CURRENT_NSID, 0)),
            ("unknown", attribute(ns.NETNSA_NSID, 5) + attr(9, u32(1))),
            ("left over", attribute(ns.NETNSA_NSID, 5) + b"\1\2\3"),
            ("short", attr(ns.NETNSA_NSID, b"\5\0")),
            ("process", attribute(ns.NETNSA_PID, 0x7FFFFFF0)),
            ("descriptor", attribute(ns.NETNSA_FD, 999)),
            ("process and number", attribute(ns.NETNSA_NSID, 5) + attribute(ns.NETNSA_PID, 0x7FFFFFF0)),
            ("descriptor and process", attribute(ns.NETNSA_FD, 999) + attribute(ns.NETNSA_PID, 0x7FFFFFF0)),
        ):
            lab.log(f"{strict} get {label}", lab.answers(rt.RTM_GETNSID, bytes(4) + more, 0))
            lab.log(f"{strict} all {label}", sorted(lab.answers(rt.RTM_GETNSID, bytes(4) + more, DUMP)))
            lab.step(f"{strict} new {label}", rt.RTM_NEWNSID, bytes(4) + more)
        lab.log("short header", lab.answers(rt.RTM_GETNSID, b"\0", 0))
        lab.step("short header", rt.RTM_NEWNSID, b"\0")


@case(privileged=True, marks=ROUTE)
def gateways_by_via(world: World, log: Log) -> None:
    """RTM_NEWROUTE and RTM_DELROUTE with RTA_VIA of many families and lengths: alone, together with
    RTA_GATEWAY, and in a next hop.
    """
    lab = Tabled(world, log, veth=True)
    lab.up()
    lab.step("address", rt.RTM_NEWADDR, ifaddr("10.0.0.1/24"), CREATE)
    for family, size in product((0, AF_INET, AF_INET6, 17, 0x102), (0, 1, 3, 4, 5, 8, 15, 17, 20)):
        via = attr(rt.RTA_VIA, struct.pack("<H", family) + bytes((10, 0, 0, 9)).ljust(size, b"\0")[:size])
        hop = rt.RtNextHop(8 + len(via), 0, 0, 0).pack() + via
        for label, more in (
            ("alone", {"extra": via}),
            ("with a gateway", {"extra": via, "via": "10.0.0.9"}),
            ("in a hop", {"extra": several(hop)}),
        ):
            lab.route(f"{family} {size} {label}", "10.1.0.0/16", 0x400, **more)
            lab.unroute(f"delete {family} {size} {label}", "10.1.0.0/16", **more)
            lab.answers(
                rt.RTM_DELROUTE,
                rt.RtMsg(AF_INET, 16, table=MAIN, scope=255).pack() + attr(rt.RTA_DST, bytes((10, 1, 0, 0))),
            )
            lab.events()
    for data in (b"", b"\2"):
        lab.route(f"via {data.hex()}", "10.1.0.0/16", 0x400, extra=attr(rt.RTA_VIA, data))
    for index in (LO, VETH, PEER):
        hop = rt.RtNextHop(8, 0, 0, index).pack()
        first = rt.RtNextHop(16, 0, 0, VETH).pack() + attr(rt.RTA_GATEWAY, bytes((10, 0, 0, 9)))
        for label, more in (
            ("device", {"dev": VETH}),
            ("other device", {"dev": PEER}),
            ("gateway", {"via": "10.0.0.9"}),
            ("other gateway", {"via": "10.0.0.8"}),
            ("realm", {}),
        ):
            extra = several(first, hop) + (attr(rt.RTA_FLOW, u32(5)) if label == "realm" else b"")
            lab.route(f"{index} and {label}", "10.1.0.0/16", 0x400, extra=extra, scope=LINK, **more)
            lab.route(
                f"{index} alone and {label}", "10.1.0.0/16", 0x400, extra=several(hop), scope=LINK, **more
            )
    lab.show("all")


SELECTORS: Final[dict[str, tuple[bytes, dict[str, int]]]] = {
    **{f"mark {mark}": (number(fr.FRA_FWMARK, mark) + number(fr.FRA_FWMASK, 1), {}) for mark in (0, 1)},
    **{f"user {user}": (attr(fr.FRA_UID_RANGE, u32(user) * 2), {}) for user in (0, 1)},
    **{f"protocol {value}": (attr(fr.FRA_IP_PROTO, bytes((value,))), {}) for value in (1, 6, 17)},
    **{
        f"port {type} {port}": (attr(type, struct.pack("<HH", port, port)), {})
        for type in (fr.FRA_SPORT_RANGE, fr.FRA_DPORT_RANGE)
        for port in (1, 80)
    },
    **{f"tos {tos}": (b"", {"tos": tos}) for tos in (4, 8)},
    **{f"dscp {value}": (attr(fr.FRA_DSCP, bytes((value,))), {}) for value in (0, 1)},
    **{
        f"{type} {name.decode()[:-1]}": (attr(type, name), {})
        for type in (fr.FRA_IIFNAME, fr.FRA_OIFNAME)
        for name in (b"lo\0", b"v0\0", b"p0\0")
    },
    "inverted": (number(fr.FRA_FWMARK, 1), {"flags": fr.FIB_RULE_INVERT}),
}


@case(privileged=True, marks=ROUTE)
def gateways_by_rules(world: World, log: Log) -> None:
    """If a new route has a gateway, the kernel looks up the gateway by address, scope and device only.
    Routing rules apply to this lookup.
    """
    for family, own, via, to in (
        (AF_INET, "10.0.0.1/24", "10.0.0.9", "10.1.0.0/16"),
        (AF_INET6, "2001:db8::1/64", "2001:db8::9", "2001:db8:1::/48"),
    ):
        lab = Tabled(world, log, family, veth=family == AF_INET, portid=family)
        lab.up()
        lab.step("address", rt.RTM_NEWADDR, ifaddr(own), CREATE)
        for label, (more, header) in SELECTORS.items():
            body = rule(family, number(fr.FRA_PRIORITY, 5), more, action=fr.FR_ACT_PROHIBIT, **header)
            lab.quietly(NEW, body, CREATE)
            for dev in (0, VETH):
                lab.route(f"{label} {dev}", to, via=via, dev=dev)
                lab.unroute(f"{label} {dev}, delete", to)
            lab.route(f"{label}, in a table", to, via=via, table=9)
            lab.unroute(f"{label}, in a table, delete", to, table=9)
            lab.quietly(DEL, body)


@case(privileged=True, marks=ROUTE)
def rules_of_protocols(world: World, log: Log) -> None:
    """If a lookup has no RTA_IP_PROTO, its protocol is UDP in IPv4 and any protocol in IPv6."""
    for family in (AF_INET, AF_INET6):
        lab = prepared(world, log, family, veth=family == AF_INET)
        numbers = (1, 6, 17, 58)
        lookups: dict[str, dict[str, Any]] = {"none": {}}
        lookups |= {str(each): {"extra": attr(rt.RTA_IP_PROTO, bytes((each,)))} for each in numbers}
        for value in numbers:
            body = rule(family, number(fr.FRA_PRIORITY, 5), attr(fr.FRA_IP_PROTO, bytes((value,))), table=1)
            lab.quietly(NEW, body, CREATE)
            looked(lab, {f"{value} {label}": each for label, each in lookups.items()})
            lab.quietly(DEL, body)
        everything = rule(family, number(fr.FRA_PRIORITY, 6), table=2)
        lab.quietly(NEW, everything, CREATE)
        looked(lab, lookups)
