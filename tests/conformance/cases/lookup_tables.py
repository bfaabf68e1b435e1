"""NETLINK_ROUTE: tables of route lookups, whose results depend on addresses, routes, links and neighbours."""

from __future__ import annotations

import re
from itertools import product
from typing import Any, Final

from simkernel.uapi import errno
from simkernel.uapi import fib_rules as fr
from simkernel.uapi import if_addr as ia
from simkernel.uapi import neighbour as nb
from simkernel.uapi import rtnetlink as rt
from simkernel.uapi.fib_rules import FibRuleHdr
from simkernel.uapi.socket import AF_INET, AF_INET6
from simkernel.uapi.structure import S32, U32
from tests.conformance import wire
from tests.conformance.case import case
from tests.conformance.cases.fib_lab import (
    CREATE,
    EXCL,
    GET,
    LINK,
    LO,
    NODAD,
    PEER,
    REPLACE,
    ROUTE,
    VETH,
    Lab,
    packed,
    prefix,
    route,
)
from tests.conformance.cases.found_links import mask_ages
from tests.conformance.log import Log
from tests.conformance.wire import ACK, ERROR, REQUEST, attr, nlmsg, u32
from tests.conformance.world import World

ABSENT: Final = 99
"""Index of a link that does not exist."""


def look_up(lab: Lab, body: bytes) -> str:
    """Look up a route. Return the error and its text, or the route's header and attributes in hexadecimal.
    Four or more zero bytes in a row are replaced by their number in parentheses.
    """
    lab.sock.sendto(nlmsg(GET, REQUEST, body), (0, 0))
    ((head, payload),) = wire.messages(mask_ages(lab.sock.recv(65536)))
    if head[1] != ERROR:
        return re.sub("(00){4,}", lambda found: f"({len(found[0]) // 2})", payload.hex())
    texts = [data for type, data in wire.attrs(payload[20:]) if type == 1]
    return " ".join([errno.error_name(-S32.unpack_from(payload)[0]), *(data.decode() for data in texts)])


def table_of(lab: Lab, rows: tuple[Any, ...], columns: dict[str, dict[str, Any]], **more: Any) -> None:
    """Log a table of route lookups. `rows` has the destination of each row. `columns` maps the label of each
    column to keyword arguments of `route()`, which builds the request. The keyword arguments in `more` apply
    to all requests.
    """
    defaults = {"family": lab.family, "proto": 0, "type": 0, "table": 0, **more}
    for to in rows:
        bodies = {label: route(to, **{**defaults, **change}) for label, change in columns.items()}
        lab.log(to, [f"{label}: {look_up(lab, body)}" for label, body in bodies.items()])


def add_address(lab: Lab, text: str, index: int, scope: int = 0, peer: str = "", extra: bytes = b"") -> None:
    """Add an address that has a scope or a peer."""
    data, length = prefix(text)
    family = AF_INET if len(data) == 4 else AF_INET6
    body = rt.IfAddrMsg(family, length, NODAD if family == AF_INET6 else 0, scope, index).pack()
    body += attr(ia.IFA_LOCAL, data) + (attr(ia.IFA_ADDRESS, packed(peer)) if peer else b"") + extra
    lab.quietly(rt.RTM_NEWADDR, body, CREATE | EXCL)


def columns_of(sources: tuple[str, ...], devices: tuple[int, ...]) -> dict[str, dict[str, Any]]:
    """Return the columns for `table_of`: one for each pair of a source address and a device."""
    pairs = product(sources, devices)
    return {f"from {source or 'any'} over {dev}": {"source": source, "dev": dev} for source, dev in pairs}


DESTINATIONS: Final = (
    *("0.0.0.0", "255.255.255.255", "224.0.0.1", "224.0.0.9", "224.0.1.1", "239.1.1.1", "127.0.0.1"),
    *("127.1.2.3", "10.0.0.1", "10.0.0.2", "10.0.0.9", "10.0.0.255", "10.1.0.1", "172.16.0.1", "172.17.0.1"),
)
SOURCES: Final = ("", "10.0.0.1", "10.0.0.2", "127.0.0.1", "10.9.9.9")
DEVICES: Final = (0, LO, VETH, PEER, ABSENT)


@case(privileged=True, marks=ROUTE)
def ends_of_lookups(world: World, log: Log) -> None:
    """The destination, source and device of an IPv4 lookup determine the route and its type. If the lookup
    has no source, the kernel also selects a source address.
    """
    lab = Lab(world, log, veth=True)
    lab.link(LO, True, log=False)
    lab.link(VETH, True, log=False)
    add_address(lab, "10.0.0.1/24", VETH)
    add_address(lab, "10.0.0.2/24", VETH)
    add_address(lab, "10.1.0.1/24", PEER)
    columns = columns_of(SOURCES, DEVICES)
    table_of(lab, DESTINATIONS[:6], columns)
    lab.link(PEER, True, log=False)
    lab.quietly(*_new(lab, "172.16.0.0/16", via="10.0.0.9"))
    lab.quietly(*_new(lab, "172.17.0.0/16", type=rt.RTN_PROHIBIT))
    table_of(lab, DESTINATIONS, columns)
    table_of(
        lab, DESTINATIONS[:6], {"wrong source": {"source": "224.0.0.1"}, "all": {"source": "255.255.255.255"}}
    )
    flags = rt.RTM_F_LOOKUP_TABLE, rt.RTM_F_FIB_MATCH, rt.RTM_F_FIB_MATCH | rt.RTM_F_LOOKUP_TABLE
    table_of(lab, DESTINATIONS, {f"flags {each:#x}": {"rtm_flags": each} for each in flags})
    lab.quietly(*_new(lab, via="10.0.0.9"))
    table_of(lab, DESTINATIONS[:6], columns_of(("", "10.0.0.2"), DEVICES))


def _new(lab: Lab, to: str = "", **more: Any) -> tuple[int, bytes, int]:
    """Return the arguments with which `Lab.quietly` adds a route."""
    return rt.RTM_NEWROUTE, route(to, **{"family": lab.family, **more}), CREATE | EXCL


@case(privileged=True, marks=ROUTE)
def sources_of_scopes(world: World, log: Log) -> None:
    """The source of an IPv4 packet is an address of the link with a suitable scope. An address whose subnet
    contains the next hop is preferred, otherwise the first address is used. If the link has no suitable
    address, the kernel selects an address of another link.
    """
    lab = Lab(world, log, veth=True)
    to = ("10.0.0.77", "10.0.2.77", "10.0.3.77", "10.0.4.2", "10.5.0.1", "10.6.0.1", "10.7.0.1", "10.8.0.1")
    to = (*to, "10.9.0.1", "10.10.0.1", "10.11.0.1", "224.0.0.5", "239.0.0.1", "255.255.255.255", "0.0.0.0")
    over = columns_of(("",), (0, VETH, PEER))
    for index in (LO, VETH, PEER):
        lab.link(index, True, log=False)
    lab.quietly(*_new(lab, "10.5.0.0/16", dev=VETH, scope=LINK))
    lab.quietly(*_new(lab, "10.6.0.0/16", dev=VETH, scope=200))
    lab.quietly(*_new(lab, "10.7.0.0/16", dev=VETH, scope=0))
    table_of(lab, to, over)
    for text, index, scope, peer in (
        ("10.0.0.1/24", PEER, LINK, ""),
        ("10.0.1.1/24", PEER, 254, ""),
        ("10.0.2.1/24", VETH, LINK, ""),
        ("10.0.2.2/25", VETH, 0, ""),
        ("10.0.3.1/24", VETH, 200, ""),
        ("10.0.4.1/32", VETH, 0, "10.0.4.2"),
        ("10.0.1.3/25", PEER, 0, ""),
    ):
        add_address(lab, text, index, scope, peer)
        table_of(lab, to, over)
    lab.quietly(*_new(lab, "10.8.0.0/16", via="10.0.4.2"))
    lab.quietly(*_new(lab, "10.9.0.0/16", via="10.0.2.9", prefsrc="10.0.3.1"))
    for number, dev in ((10, VETH), (11, PEER)):
        lab.quietly(*_new(lab, f"10.{number}.0.0/16", via="10.77.0.1", dev=dev, rtm_flags=rt.RTNH_F_ONLINK))
    table_of(lab, to, over)


@case(privileged=True, marks=ROUTE)
def gateways_of_states(world: World, log: Log) -> None:
    """Among equivalent default routes, the kernel selects one by the neighbour states of the gateways."""
    lab = Lab(world, log, veth=True)
    for index in (LO, VETH, PEER):
        lab.link(index, True, log=False)
    add_address(lab, "10.0.0.1/24", VETH)

    def neighbour(last: int, state: int) -> None:
        head = nb.NdMsg(AF_INET, index=VETH, state=state).pack()
        more = attr(nb.NDA_DST, packed(f"10.0.0.{last}")) + attr(nb.NDA_LLADDR, b"\2\0\0\0\0\x55")
        lab.quietly(rt.RTM_NEWNEIGH, head + more, CREATE | REPLACE)

    valid = nb.NUD_PERMANENT, nb.NUD_NOARP, nb.NUD_STALE
    states = (*valid, nb.NUD_REACHABLE, nb.NUD_FAILED)

    def look(label: str) -> None:
        table_of(lab, ("8.8.8.8",) * 3, {label: {}, f"{label}, tos": {"tos": 8}})

    def add(metric: int, *last: int, **more: Any) -> None:
        for each in last:
            body = route("", family=AF_INET, via=f"10.0.0.{each}", metric=metric, **more)
            lab.quietly(rt.RTM_NEWROUTE, body, CREATE | 0x800)

    add(0, 11)
    look("one")
    add(0, 12)
    look("two")
    for first, second in product(states, states):
        neighbour(11, first)
        neighbour(12, second)
        look(f"{first:#x} {second:#x}")
    add(0, 13)
    neighbour(13, nb.NUD_STALE)
    look("three")
    add(0, 14, tos=8)
    add(0, 15, tos=8)
    neighbour(14, nb.NUD_FAILED)
    look("of a tos")
    add(5, 18, 19, tos=8)
    look("other metrics of a tos")
    neighbour(15, nb.NUD_FAILED)
    look("failed gateways of a tos")
    add(5, 16, 17)
    look("other metrics")
    for each in (11, 12, 13):
        lab.quietly(rt.RTM_DELROUTE, route("", family=AF_INET, via=f"10.0.0.{each}"))
        look(f"without {each}")
    lab.quietly(rt.RTM_NEWROUTE, route("", family=AF_INET, dev=VETH, scope=LINK, metric=5), CREATE)
    look("a link first")
    for last in (31, 32):
        body = route("", family=AF_INET, via=f"10.0.0.{last}", table=255)
        lab.quietly(rt.RTM_NEWROUTE, body, CREATE | 0x800)
        neighbour(last, nb.NUD_FAILED if last == 31 else nb.NUD_REACHABLE)
        look(f"in table local, {last}")
    rule = FibRuleHdr(AF_INET, table=77, action=fr.FR_ACT_TO_TBL).pack() + attr(fr.FRA_PRIORITY, u32(99))
    lab.quietly(rt.RTM_NEWRULE, rule, CREATE)
    look("after a rule")
    for last in (33, 34):
        body = route("", family=AF_INET, via=f"10.0.0.{last}", table=255)
        lab.quietly(rt.RTM_NEWROUTE, body, CREATE | 0x800)
        look(f"after a rule, {last}")


DESTINATIONS6: Final = (
    *("::", "::1", "fe80::1", "fe80::9", "ff01::1", "ff02::1", "ff0e::1", "2001:db8::1", "2001:db8::9"),
    *("2001:db8:1::1", "2001:db8:2::1", "2001:db8:3::1", "2001:db8:7::1", "::ffff:10.0.0.1", "2002::1"),
)


@case(privileged=True, marks=ROUTE)
def ends_of_lookups6(world: World, log: Log) -> None:
    """Destination, source and device of an IPv6 lookup select the route."""
    lab = Lab(world, log, AF_INET6, veth=True)
    for index in (LO, VETH, PEER):
        lab.link(index, True, log=False)
    add_address(lab, "2001:db8::1/64", VETH)
    add_address(lab, "fe80::1/64", VETH)
    add_address(lab, "2001:db8:1::1/64", PEER)
    add_address(lab, "fe80::2/64", PEER)
    lab.settle()
    lab.quietly(*_new(lab, "2001:db8:2::/48", via="2001:db8::9", prefsrc="2001:db8:1::1"))
    lab.quietly(*_new(lab, "2001:db8:3::/48", type=rt.RTN_PROHIBIT))
    columns = columns_of(("", "2001:db8::1", "2001:db8:9::9", "fe80::2"), (0, LO, VETH, PEER, ABSENT))
    table_of(lab, DESTINATIONS6, columns)
    incoming = (LO, VETH, PEER, ABSENT)
    table_of(
        lab, DESTINATIONS6, {f"into {each}": {"extra": attr(rt.RTA_IIF, u32(each))} for each in incoming}
    )
    table_of(lab, DESTINATIONS6, {"match": {"rtm_flags": rt.RTM_F_FIB_MATCH}, "tos": {"tos": 16}})


@case(privileged=True, marks=ROUTE)
def sources6(world: World, log: Log) -> None:
    """The source of an IPv6 packet is selected by scope, state, link, label and common prefix (RFC 6724)."""
    lab = Lab(world, log, AF_INET6, veth=True)
    to = ("::1", "fe80::9", "fec0::9", "fd00::9", "2001:db8::9", "2001:db8:1::9", "2002::9", "2001::9")
    to = (*to, "2001:10::9", "::ffff:10.0.0.9", "::10.0.0.9", "3fff::9", "2001:db8:0:8000::9", "ff02::9")
    to = (*to, "ff05::9", "ff0e::9")
    for index in (LO, VETH, PEER):
        lab.link(index, True, log=False)
    lab.quietly(*_new(lab, dev=VETH))
    over = columns_of(("",), (0, VETH, PEER))
    dead = attr(ia.IFA_CACHEINFO, u32(0) + u32(1000) + bytes(8))
    for text, index, extra in (
        ("fe80::2/64", PEER, b""),
        ("fe80::1/64", VETH, b""),
        ("2001:db8::1/64", PEER, b""),
        ("2001:db8::2/64", VETH, dead),
        ("2001:db8::3/48", VETH, b""),
        ("fd00::1/64", VETH, b""),
        ("fec0::1/64", VETH, b""),
        ("2002::1/64", PEER, b""),
        ("2001::1/64", VETH, b""),
        ("2001:10::1/64", VETH, b""),
        ("2001:db8:1::1/128", VETH, b""),
        ("ff0e::1/128", VETH, attr(ia.IFA_FLAGS, u32(ia.IFA_F_MCAUTOJOIN | ia.IFA_F_NODAD))),
        ("ff05::1/128", PEER, attr(ia.IFA_FLAGS, u32(ia.IFA_F_MCAUTOJOIN | ia.IFA_F_NODAD))),
    ):
        add_address(lab, text, index, extra=extra)
        lab.settle()
        table_of(lab, to, over)


@case(privileged=True, marks=ROUTE)
def labels6(world: World, log: Log) -> None:
    """A source with the destination's label is preferred to one with a longer common prefix (RFC 6724)."""
    lab = Lab(world, log, AF_INET6, veth=True)
    for index in (LO, VETH, PEER):
        lab.link(index, True, log=False)
    lab.quietly(*_new(lab, dev=VETH))
    add_address(lab, "2001:db8::1/64", VETH)
    inside = (
        "3ffe::1",
        "2002::1",
        "2001::1",
        "2001:10::1",
        "fd00::1",
        "fec0::1",
        "::10.0.0.1",
        "::ffff:10.0.0.1",
    )
    outside = (
        "3fff::9",
        "3ffd::9",
        "2003::9",
        "2001:1::9",
        "2000:ffff::9",
        "2001:20::9",
        "2001:f::9",
        "fe00::9",
    )
    outside = (*outside, "fb00::9", "::1:0:9", "::fffe:10.0.0.9", "::fffe:0:0:9")
    to = (
        *(each.removesuffix("1") + "9" for each in inside),
        *outside,
        "3ffe:8000::9",
        "2002:8000::9",
        "fc00::9",
    )
    to = (*to, "2001:0:8000::9", "2001:1f::9", "2001:18::9", "fdff::9", "2001:db8::9")
    for source in inside:
        add_address(lab, f"{source}/64", VETH)
        lab.settle()
        lab.log("source", source)
        table_of(lab, to, columns_of(("",), (VETH,)))
        lab.quietly(
            rt.RTM_DELADDR, rt.IfAddrMsg(AF_INET6, 64, index=VETH).pack() + attr(ia.IFA_LOCAL, packed(source))
        )


@case(privileged=True, marks=ROUTE)
def preferences6(world: World, log: Log) -> None:
    """If several IPv6 routes have the same prefix, a lookup selects one of them by metric, router preference,
    device and link state.
    """
    lab = Lab(world, log, AF_INET6, veth=True)
    for index in (LO, VETH, PEER):
        lab.link(index, True, log=False)
    add_address(lab, "fe80::1/64", VETH)
    add_address(lab, "fe80::2/64", PEER)
    over = columns_of(("",), (0, VETH, PEER))
    preferences = (0, 1, 3)
    number = 0
    for first, second, metric in product(preferences, preferences, (5, 6)):
        number += 1
        to = f"2001:db8:{number:x}::/48"
        for pref, dev, cost in ((first, VETH, 5), (second, PEER, metric)):
            extra = attr(rt.RTA_PREF, bytes((pref,)))
            lab.quietly(*_new(lab, to, dev=dev, metric=cost, extra=extra)[:2], CREATE | 0x800)
        lab.log("preferences", [first, second, metric])
        table_of(lab, (to.replace("/48", "1"),), over)
    lab.quietly(*_new(lab, "2001:db8:77::/48", dev=PEER, metric=7, extra=attr(rt.RTA_PREF, b"\2")))
    lab.quietly(*_new(lab, "2001:db8:77::/48", dev=VETH, metric=8, extra=attr(rt.RTA_PREF, b"\1")))
    table_of(lab, ("2001:db8:77::1",), over)
    lab.link(PEER, False, log=False)
    table_of(lab, tuple(f"2001:db8:{each:x}::1" for each in range(1, number + 1)), over)


@case(privileged=True, marks=ROUTE)
def failed_gateways6(world: World, log: Log) -> None:
    """A route through a failed neighbour is used only if no other route leads to the destination."""
    lab = Lab(world, log, AF_INET6, veth=True)
    for index in (LO, VETH, PEER):
        lab.link(index, True, log=False)
    add_address(lab, "2001:db8::1/64", VETH)
    add_address(lab, "2001:db8:1::1/64", PEER)
    lab.settle()
    lab.quietly(*_new(lab, "2001:db8:7::/48", via="2001:db8::9", metric=5))
    lab.quietly(*_new(lab, "2001:db8:7::/48", via="2001:db8:1::9", metric=6))
    lab.quietly(*_new(lab, "2001:db8::/32", via="2001:db8::8", metric=6))
    over = columns_of(("",), (0, VETH, PEER))
    states = (nb.NUD_STALE, nb.NUD_FAILED, nb.NUD_REACHABLE, nb.NUD_FAILED)
    for state, (dev, to) in product(
        states, ((VETH, "2001:db8::9"), (PEER, "2001:db8:1::9"), (VETH, "2001:db8::8"))
    ):
        head = nb.NdMsg(AF_INET6, index=dev, state=state).pack()
        more = attr(nb.NDA_DST, packed(to)) + attr(nb.NDA_LLADDR, b"\2\0\0\0\0\x55")
        lab.quietly(rt.RTM_NEWNEIGH, head + more, CREATE | 0x100)
        lab.log("neighbour", [to, state])
        table_of(lab, ("2001:db8:7::1", "2001:db8:8::1"), over)


STRICT_HEADERS: Final[dict[str, dict[str, Any]]] = {
    "plain": {},
    "table": {"table": 254},
    "protocol": {"proto": 3},
    "scope": {"scope": 1},
    "type": {"type": 1},
    "no length": {"length": 0},
    "length": {"length": 24},
    "tos": {"tos": 255},
    **{f"flag {1 << bit:#x}": {"rtm_flags": 1 << bit} for bit in range(16)},
}


@case(privileged=True, marks=ROUTE)
def strict_lookups(world: World, log: Log) -> None:
    """With strict checking, RTM_GETROUTE fails if the request sets a field or attribute that a lookup does
    not use.
    """
    for family, to in ((AF_INET, "127.0.0.1"), (AF_INET6, "::1")):
        lab = Lab(world, log, family, portid=family)
        lab.link(LO, True, log=False)
        columns = STRICT_HEADERS | {
            f"attribute {type}": {"extra": attr(type, u32(1).ljust(size, b"\0")[:size])}
            for type in range(1, rt.RTA_MAX + 2)
            for size in (1, 2, 4, 8, 16)
            if type != rt.RTA_IIF or size < U32.size
        }
        columns["no source length"] = {"extra": attr(rt.RTA_SRC, packed(to))}
        columns["high flow label"] = {"extra": attr(rt.RTA_FLOWLABEL, b"\0\x10\0\0")}
        columns["flow label"] = {"extra": attr(rt.RTA_FLOWLABEL, b"\0\x0f\xff\xff")}
        for protocol in (0, 1, 2, 6, 17, 58, 255):
            columns[f"protocol {protocol}"] = {"extra": attr(rt.RTA_IP_PROTO, bytes((protocol,)))}
        lab.strict()
        table_of(lab, (to,), columns)
        lab.log("short", look_up(lab, bytes((family,)) * 11))


@case(privileged=True, marks=ROUTE)
def old_lookups(world: World, log: Log) -> None:
    """Without strict checking, RTM_GETROUTE ignores the fields and attributes that a lookup does not use."""
    for family, to in ((AF_INET, "127.0.0.1"), (AF_INET6, "::1")):
        lab = Lab(world, log, family, portid=family)
        lab.link(LO, True, log=False)
        columns = {
            each: STRICT_HEADERS[each] for each in ("table", "protocol", "scope", "type", "no length", "tos")
        }
        for size in (0, 2, 3, 4, 15, 16):
            columns[f"destination of {size}"] = {"extra": attr(rt.RTA_DST, packed(to)[:size])}
            columns[f"source of {size}"] = {"extra": attr(rt.RTA_SRC, packed(to)[:size])}
        table_of(lab, ("", to), columns)
        lab.log("short", look_up(lab, bytes((family,)) * 11))


@case(privileged=True, marks=ROUTE)
def types_of_found_routes(world: World, log: Log) -> None:
    """The type of the route that a lookup finds decides whether the lookup fails, in IPv4 and in IPv6."""
    for family, to in ((AF_INET, "10.9.0.0/16"), (AF_INET6, "2001:db8:9::/48")):
        lab = Lab(world, log, family, veth=family == AF_INET, portid=family)
        for index in (LO, VETH, PEER):
            lab.link(index, True, log=False)
        for type, scope, dev in product(range(13), (0, LINK, 254), (0, LO, VETH)):
            body = route(to, family=family, type=type, scope=scope, dev=dev)
            lab.sock.sendto(nlmsg(rt.RTM_NEWROUTE, REQUEST | ACK | CREATE, body), (0, 0))
            label = f"{type} {scope} {dev}"
            ((_, payload),) = wire.messages(lab.sock.recv(65536))
            (number,) = S32.unpack_from(payload)
            log(label, errno.error_name(-number) if number else "ok")
            if not number:
                address = to.partition("/")[0] + ("1" if family == AF_INET6 else "")
                table_of(
                    lab,
                    (address,),
                    {label: {}, "match": {"rtm_flags": rt.RTM_F_FIB_MATCH}, "over": {"dev": VETH}},
                )
                lab.quietly(rt.RTM_DELROUTE, route(to, family=family, type=0, scope=255, proto=0))
