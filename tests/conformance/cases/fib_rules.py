"""NETLINK_ROUTE: routing rules, lookups that use them, and routes in /proc and in dumps."""

from __future__ import annotations

import struct

from simkernel.uapi import fib_rules as fr
from simkernel.uapi import if_link as il
from simkernel.uapi import rtnetlink as rt
from simkernel.uapi.fib_rules import FibRuleHdr
from simkernel.uapi.socket import AF_INET, AF_INET6
from tests.conformance import wire
from tests.conformance.case import case, netlink
from tests.conformance.cases.fib_lab import (
    CREATE,
    DEL,
    EXCL,
    FILES,
    GET,
    LINK,
    LO,
    LOCAL,
    MAIN,
    NEW,
    PEER,
    ROUTE,
    VETH,
    Lab,
    packed,
    route,
)
from tests.conformance.cases.found_links import mask_ages
from tests.conformance.log import Log
from tests.conformance.wire import ACK, DUMP, ECHO, REQUEST, attr, nlmsg, u32
from tests.conformance.world import World

# -- rules ---------------------------------------------------------------------------------


def rule(family: int = AF_INET, *attributes: bytes, **header: int) -> bytes:
    """Return a fib_rule_hdr with attributes."""
    fields = {"table": MAIN, "action": fr.FR_ACT_TO_TBL, **header}
    return FibRuleHdr(family, **fields).pack() + b"".join(attributes)


def number(type: int, value: int) -> bytes:
    return attr(type, u32(value))


PRIORITY, TABLE, MARK, MASK, GOTO = fr.FRA_PRIORITY, fr.FRA_TABLE, fr.FRA_FWMARK, fr.FRA_FWMASK, fr.FRA_GOTO


def change_rules(lab: Lab, family: int, dst: bytes, short: bytes) -> None:
    """Send valid and invalid requests that add, dump and delete the routing rules of an address family. `dst`
    is an address of this family, and `short` is an address that is too short.
    """
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
    """Replies to valid and invalid RTM_NEWRULE and RTM_DELRULE requests for IPv4 rules."""
    lab = Lab(world, log)
    change_rules(lab, AF_INET, packed("10.0.0.1"), b"\x0a")
    lab.ask("short", rt.RTM_NEWRULE, b"\2\0\0\0")
    lab.ask("no family", rt.RTM_NEWRULE, rule(200))
    lab.dump("tables")


@case(privileged=True, marks=ROUTE)
def rules_change6(world: World, log: Log) -> None:
    """Replies to valid and invalid RTM_NEWRULE and RTM_DELRULE requests for IPv6 rules."""
    change_rules(Lab(world, log, AF_INET6), AF_INET6, packed("2001:db8::1"), b"\x0a")


@case(privileged=True, marks=ROUTE)
def rules_follow_links(world: World, log: Log) -> None:
    """A rule for a link is detached as long as no link of that name exists."""
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
    """RTM_GETROUTE applies rules that match mark, source, link or user, and rules that suppress prefixes."""
    lab = Lab(world, log, veth=True)
    lab.links_up()
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
    """The contents of /proc/net/route and /proc/net/ipv6_route."""
    lab = Lab(world, log, veth=True)
    log("empty", world.read_file("/proc/net/route"))
    for index in (LO, VETH, PEER):
        lab.link(index, True, log=False)
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
    """Return a list with one number for each route in a datagram: a byte of its destination address. If the
    datagram ends the dump, the list ends with "DONE".
    """
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
    """If IPv4 routes change during a dump, the dump continues after the last address that it has returned."""
    dump_and_change(world, log, AF_INET, "10.{}.0.0/16")


@case(privileged=True, marks=ROUTE)
def dumps_of_changing_routes6(world: World, log: Log) -> None:
    """If an IPv6 route is added during a dump, the dump skips as many prefixes as it has already returned. It
    can therefore return a route twice.
    """
    dump_and_change(world, log, AF_INET6, "2001:db8:{0:x}::/48")


@case(privileged=True, marks=ROUTE)
def rules_of_ports(world: World, log: Log) -> None:
    """The kernel describes the ports of a routing rule as a range. For a single port, it adds a port mask."""
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


@case(privileged=True, marks=ROUTE)
def rules_of_sources6(world: World, log: Log) -> None:
    """A rule with a source prefix does not match a lookup without a source address, such as the lookup of a
    new route's gateway.
    """
    log.mask = mask_ages
    lab = Lab(world, log, AF_INET6, veth=True)
    lab.link(VETH, True)
    lab.link(PEER, True)
    lab.address("2001:db8::1/64", VETH)
    to = "2001:db8::9"

    def change(type: int, *attributes: bytes, priority: int = 10, **header: int) -> None:
        body = rule(AF_INET6, number(PRIORITY, priority), *attributes, **header)
        lab.ask(f"rule {type}", type, body)

    source, loopback = attr(fr.FRA_SRC, bytes(16)), attr(fr.FRA_IIFNAME, b"lo\0")
    for label, attributes, header in (
        ("source", source, {"src_len": 64, "action": fr.FR_ACT_PROHIBIT}),
        ("no source", source, {"src_len": 64, "action": fr.FR_ACT_PROHIBIT, "flags": fr.FIB_RULE_INVERT}),
        ("find", b"", {"flags": fr.FIB_RULE_FIND_SADDR}),
        ("link", loopback, {"action": fr.FR_ACT_PROHIBIT}),
        ("users", attr(fr.FRA_UID_RANGE, struct.pack("<II", 0, 10)), {"action": fr.FR_ACT_UNREACHABLE}),
        ("suppressed", number(fr.FRA_SUPPRESS_PREFIXLEN, 64), {"table": MAIN}),
    ):
        change(rt.RTM_NEWRULE, attributes, **header)
        lab.get(label, to)
        lab.get(f"{label}, from", to, source="2001:db8::1")
        lab.get(f"{label}, from link", to, extra=attr(rt.RTA_IIF, u32(VETH)))
        lab.new(f"gateway, {label}", "2001:db8:2::/48", via=to, table=100)
        lab.delete(f"gateway, {label}", "2001:db8:2::/48", table=100)
        change(rt.RTM_DELRULE, **{**header, "src_len": 0, "flags": 0})
    change(rt.RTM_NEWRULE, number(fr.FRA_SUPPRESS_PREFIXLEN, 64))
    change(rt.RTM_DELRULE, priority=32766)
    lab.get("suppressed last", to)
    lab.new("gateway of suppressed", "2001:db8:2::/48", via=to, table=100)


@case(privileged=True, marks=ROUTE)
def realms(world: World, log: Log) -> None:
    """If the source realm or the destination realm of a next hop is 0, the kernel takes this realm from the
    rule. A cached route keeps the resulting realms.
    """
    log.mask = mask_ages
    lab = Lab(world, log, veth=True)
    lab.link(VETH, True)
    lab.link(PEER, True)
    lab.address("10.0.0.1/24", VETH)
    lab.new("link", "10.1.0.0/24", dev=VETH, scope=LINK, extra=number(rt.RTA_FLOW, 5))
    lab.new("gateway", "10.2.0.0/24", via="10.0.0.2", extra=number(rt.RTA_FLOW, 0x60007))
    lab.new("without", "10.3.0.0/24", via="10.0.0.2")

    def get(label: str) -> None:
        for to in ("10.1.0.3", "10.2.0.3", "10.3.0.3", "10.0.0.9", "10.0.0.1", "10.9.0.9"):
            lab.get(f"{label}, {to}", to)
        lab.get(f"{label}, over", "10.9.0.9", dev=VETH)
        lab.get(f"{label}, all", "255.255.255.255", dev=VETH)

    get("before")
    lab.ask("rule", rt.RTM_NEWRULE, rule(AF_INET, number(PRIORITY, 100), number(fr.FRA_FLOW, 0x30004)))
    get("rule")
    none = rule(AF_INET, number(PRIORITY, 50), number(fr.FRA_FLOW, 9), action=fr.FR_ACT_UNREACHABLE)
    lab.ask("unreachable", rt.RTM_NEWRULE, none)
    get("unreachable")
    lab.ask("delete", rt.RTM_DELRULE, rule(AF_INET, number(PRIORITY, 50), action=0))
    lab.ask("delete", rt.RTM_DELRULE, rule(AF_INET, number(PRIORITY, 100)))
    get("after")


@case(privileged=True, marks=ROUTE)
def numbers_with_more_bytes(world: World, log: Log) -> None:
    """If a numeric attribute is longer than its number, the kernel reads only the first bytes of the
    attribute.
    """
    suppress = fr.FRA_SUPPRESS_PREFIXLEN, fr.FRA_SUPPRESS_IFGROUP
    for family in (AF_INET, AF_INET6):
        lab = Lab(world, log, family, portid=family)
        for type in (TABLE, MARK, MASK, fr.FRA_FLOW, GOTO, fr.FRA_PROTOCOL, fr.FRA_IP_PROTO, *suppress):
            more = attr(type, u32(7) + u32(10))
            action = fr.FR_ACT_GOTO if type == GOTO else fr.FR_ACT_TO_TBL
            lab.ask(f"{type}", rt.RTM_NEWRULE, rule(family, number(PRIORITY, type), more, action=action))
        lab.ask(f"{PRIORITY}", rt.RTM_NEWRULE, rule(family, attr(PRIORITY, u32(5) + u32(6))))
        lab.ask("flow", rt.RTM_NEWRULE, rule(family, attr(fr.FRA_DSCP, b"\1\2\3\4")))
        log.ask("all", lab.sock, nlmsg(rt.RTM_GETRULE, REQUEST | DUMP, rule(family)))
