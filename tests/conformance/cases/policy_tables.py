"""NETLINK_ROUTE: each attribute of each request with payloads of all lengths, and strict requests."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Final

from simkernel.uapi import fib_rules as fr
from simkernel.uapi import if_addr as ia
from simkernel.uapi import if_link as il
from simkernel.uapi import neighbour as nb
from simkernel.uapi import net_namespace as ns
from simkernel.uapi import rtnetlink as rt
from simkernel.uapi.fib_rules import FibRuleHdr
from simkernel.uapi.socket import AF_BRIDGE, AF_INET, AF_INET6
from tests.conformance.case import case
from tests.conformance.cases.fib_lab import LO, ROUTE
from tests.conformance.cases.link_tables import BRIDGE, add_bridge
from tests.conformance.cases.tabled import Tabled, grouped
from tests.conformance.log import Log
from tests.conformance.wire import ACK, DUMP, NESTED, NET_BYTEORDER, NOOP, attr, nlmsg, u16, u32
from tests.conformance.world import World

ABSENT: Final = 99
"""Index of a link and id of a table that do not exist, so that a valid request changes nothing."""
SIZES: Final = (0, 1, 2, 3, 4, 5, 8, 12, 15, 16, 17, 31, 32, 33, 64, 127, 128, 255, 256)
FILLS: Final = (b"\0", b"\1", b"\xff")
EMPTY: Final = nlmsg(NOOP, 0, bytes(20))
"""An NLMSG_NOOP message. Each datagram contains it before the request. The attribute offset in an error
counts from the start of the request, so this message does not change the offset.
"""
Row = tuple[str, int, bytes]
"""One kind of request: its label, its message type, and the payload to which an attribute is appended."""


def payloads() -> Iterator[tuple[str, int, bytes]]:
    """Yield contents for an attribute, as tuples: a label, the flag for the attribute's type (NLA_F_NESTED,
    NLA_F_NET_BYTEORDER or 0), and the payload.
    """
    for size in SIZES:
        yield str(size), 0, bytes(size)
    for fill in FILLS[1:]:
        for size in (1, 2, 4, 8, 16):
            yield f"{size}x{fill.hex()}", 0, fill * size
    yield "nested", NESTED, u32(0)
    yield "network", NET_BYTEORDER, u32(0)
    yield "nest", NESTED, attr(1, u32(1)) + attr(200, b"")


def log_attributes(
    lab: Tabled, rows: tuple[Row, ...], types: range, skipped: frozenset[int] = frozenset()
) -> None:
    """Send requests with one attribute each, and log the replies. Equal successive replies share one line."""
    for label, kind, body in rows:
        for type in types:
            if type in skipped:
                continue
            answers = (
                (name, " & ".join(lab.answers(kind, body + attr(type | flags, data), before=EMPTY)))
                for name, flags, data in payloads()
            )
            lab.log(f"{label} {type}", grouped(answers))


@case(privileged=True, marks=ROUTE)
def attributes_of_links(world: World, log: Log) -> None:
    """Replies to requests with each attribute of a link, for payloads of many lengths."""
    lab = Tabled(world, log)
    head = rt.IfInfoMsg(index=ABSENT).pack()
    unmodelled = frozenset(
        {il.IFLA_TARGET_NETNSID, il.IFLA_NET_NS_PID, il.IFLA_NET_NS_FD, il.IFLA_LINK_NETNSID}
    )
    log_attributes(lab, (("set", rt.RTM_SETLINK, head),), range(il.IFLA_MAX + 2), unmodelled)
    lab.strict()
    log_attributes(lab, (("get", rt.RTM_GETLINK, head),), range(1, il.IFLA_MAX + 2, 5))
    log_attributes(lab, (("names", rt.RTM_NEWLINKPROP, head),), range(1, il.IFLA_MAX + 2, 7), unmodelled)


@case(privileged=True, marks=ROUTE)
def attributes_of_addresses(world: World, log: Log) -> None:
    """Replies to requests with each attribute of an address, for payloads of many lengths."""
    lab = Tabled(world, log)
    rows: list[Row] = []
    for family in (AF_INET, AF_INET6):
        head = rt.IfAddrMsg(family, 24, index=ABSENT).pack() + attr(
            ia.IFA_LOCAL, b"\1" * (4 if family == AF_INET else 16)
        )
        rows += [(f"new {family}", rt.RTM_NEWADDR, head), (f"del {family}", rt.RTM_DELADDR, head)]
    log_attributes(lab, tuple(rows), range(1, ia.IFA_MAX + 2))


@case(privileged=True, marks=ROUTE)
def attributes_of_routes(world: World, log: Log) -> None:
    """Replies to requests with each attribute of a route, for payloads of many lengths."""
    lab = Tabled(world, log)
    for family in (AF_INET, AF_INET6):
        head = rt.RtMsg(family, 8, table=ABSENT, type=rt.RTN_UNICAST).pack()
        skipped = frozenset({rt.RTA_ENCAP_TYPE, rt.RTA_ENCAP, rt.RTA_NH_ID, rt.RTA_TABLE, rt.RTA_VIA})
        log_attributes(lab, ((f"del {family}", rt.RTM_DELROUTE, head),), range(1, rt.RTA_MAX + 2), skipped)


@case(privileged=True, marks=ROUTE)
def attributes_of_neighbours(world: World, log: Log) -> None:
    """Replies to requests with each attribute of a neighbour or forwarding entry, for payloads of many
    lengths.
    """
    lab = Tabled(world, log)
    for family in (AF_INET, AF_INET6, AF_BRIDGE):
        head = nb.NdMsg(family, index=ABSENT).pack()
        rows = (f"new {family}", rt.RTM_NEWNEIGH, head), (f"del {family}", rt.RTM_DELNEIGH, head)
        log_attributes(lab, rows, range(1, nb.NDA_MAX + 2))


@case(privileged=True, marks=ROUTE)
def attributes_of_rules(world: World, log: Log) -> None:
    """Replies to requests with each attribute of a routing rule, for payloads of many lengths. The values of
    prefix lengths, TOS and ranges vary too.
    """
    lab = Tabled(world, log)
    unmodelled = frozenset({fr.FRA_TUN_ID, fr.FRA_L3MDEV, *range(fr.FRA_FLOWLABEL, fr.FRA_MAX + 1)})
    for family in (AF_INET, AF_INET6):
        head = FibRuleHdr(family, table=ABSENT, action=fr.FR_ACT_NOP).pack() + attr(fr.FRA_FWMARK, u32(12345))
        log_attributes(lab, ((f"del {family}", rt.RTM_DELRULE, head),), range(1, fr.FRA_MAX + 2), unmodelled)
    prefixes = (0, 1, 31, 32, 33, 127, 128, 129, 255)
    for family, bits, size in product((AF_INET, AF_INET6), prefixes, (0, 3, 4, 5, 15, 16, 17)):
        for label, head, type in (
            ("dst", FibRuleHdr(family, dst_len=bits, action=fr.FR_ACT_NOP), fr.FRA_DST),
            ("src", FibRuleHdr(family, src_len=bits, action=fr.FR_ACT_NOP), fr.FRA_SRC),
        ):
            lab.log(
                f"{family} {label} {bits} {size}",
                lab.answers(rt.RTM_DELRULE, head.pack() + attr(type, b"\1" * size)),
            )
    for family, tos in product((AF_INET, AF_INET6), (1, 2, 3, 4, 0x1C, 0x1E, 0x20, 0x40, 0x80, 0xFC, 0xFF)):
        head = FibRuleHdr(family, tos=tos, action=fr.FR_ACT_GOTO).pack()
        for label, more in (("", b""), (" dscp", attr(fr.FRA_DSCP, b"\1"))):
            lab.log(
                f"{family} tos {tos}{label}",
                lab.answers(rt.RTM_NEWRULE, head + attr(fr.FRA_GOTO, u32(5)) + more),
            )
    for low, high in product((0, 1, 80, 65534, 65535), repeat=2):
        head = FibRuleHdr(AF_INET, action=fr.FR_ACT_NOP).pack()
        for type in (fr.FRA_SPORT_RANGE, fr.FRA_DPORT_RANGE):
            lab.log(
                f"ports {type} {low} {high}",
                lab.answers(rt.RTM_DELRULE, head + attr(type, u16(low) + u16(high))),
            )
    for low, high in product((0, 1, 2**31, 2**32 - 2, 2**32 - 1), repeat=2):
        head = FibRuleHdr(AF_INET, action=fr.FR_ACT_NOP).pack()
        lab.log(
            f"users {low} {high}",
            lab.answers(rt.RTM_DELRULE, head + attr(fr.FRA_UID_RANGE, u32(low) + u32(high))),
        )


@case(privileged=True, marks=ROUTE)
def attributes_of_settings(world: World, log: Log) -> None:
    """Replies to RTM_NEWNSID, RTM_GETNSID, RTM_GETNETCONF, RTM_GETSTATS and RTM_SETSTATS with one attribute
    each, for payloads of many lengths.
    """
    lab = Tabled(world, log)
    stats = il.IfStatsMsg(index=LO, filter_mask=8).pack()
    rows: tuple[Row, ...] = (
        ("new nsid", rt.RTM_NEWNSID, bytes(4)),
        ("nsid", rt.RTM_GETNSID, bytes(4)),
        ("netconf", rt.RTM_GETNETCONF, bytes((AF_INET, 0, 0, 0))),
        ("netconf 6", rt.RTM_GETNETCONF, bytes((AF_INET6, 0, 0, 0))),
        ("statistics", rt.RTM_GETSTATS, stats),
        ("set statistics", rt.RTM_SETSTATS, il.IfStatsMsg(index=LO).pack()),
    )
    skipped = frozenset({ns.NETNSA_PID, ns.NETNSA_FD})
    for strict in (False, True):
        if strict:
            lab.strict()
        for label, kind, body in rows:
            each = (f"{label} {strict}", kind, body)
            types = range(1, 10) if "netconf" not in label else range(10)
            kept = frozenset({2}) if kind == rt.RTM_SETSTATS else skipped if "nsid" in label else frozenset()
            log_attributes(lab, (each,), types, kept)


DUMPED: Final[tuple[tuple[str, int, int], ...]] = (
    ("links", rt.RTM_GETLINK, rt.IfInfoMsg.SIZE),
    ("addresses", rt.RTM_GETADDR, rt.IfAddrMsg.SIZE),
    ("routes", rt.RTM_GETROUTE, rt.RtMsg.SIZE),
    ("neighbours", rt.RTM_GETNEIGH, nb.NdMsg.SIZE),
    ("rules", rt.RTM_GETRULE, FibRuleHdr.SIZE),
    ("nsids", rt.RTM_GETNSID, 4),
    ("settings", rt.RTM_GETNETCONF, 4),
    ("statistics", rt.RTM_GETSTATS, il.IfStatsMsg.SIZE),
)


@case(privileged=True, marks=ROUTE)
def headers_of_dumps(world: World, log: Log) -> None:
    """With strict checking, a dump request with unused header fields, unknown attributes or leftover bytes
    fails.
    """
    lab = Tabled(world, log)

    def end(type: int, body: bytes) -> str:
        lines = lab.answers(type, body, DUMP)
        return f"{len(lines)} {lines[-1] if lines else ''}"

    for strict in (False, True):
        if strict:
            lab.strict()
        for label, type, size in DUMPED:
            for family in (0, AF_INET, AF_INET6, AF_BRIDGE, 17, 128, 129, 200):
                head = bytes((family,)).ljust(size, b"\0")
                rows = {f"byte {place}": head[:place] + b"\1" + head[place + 1 :] for place in range(1, size)}
                rows |= {f"short {length}": head[:length] for length in (1, 2, 4, size - 1)}
                rows |= {
                    f"attribute {each}": head + attr(each, u32(1))
                    for each in (1, 2, 3, 4, 8, 9, 10, 15, 29, 200)
                }
                rows |= {
                    "plain": head,
                    "left over": head + b"\1\2\3",
                    "short attribute": head + attr(2, b"\1"),
                }
                if label == "statistics":  # a dump needs a mask
                    rows = {
                        each: body[:8] + u32(8) + body[12:] if len(body) >= size else body
                        for each, body in rows.items()
                    }
                if (label, family) in (("routes", 128), ("routes", 129)) or (label, family) == ("links", 128):
                    continue
                answers = ((each, end(type, body)) for each, body in rows.items())
                log(f"{label} {family} {strict}", grouped(answers))


@case(privileged=True, marks=ROUTE)
def statistics_of_links(world: World, log: Log) -> None:
    """RTM_GETSTATS of a bridge, its port and other links, with many values of filter_mask. For `lo`, some
    requests also have filters (IFLA_STATS_GET_FILTERS).
    """
    lab = Tabled(world, log, veth=True)
    add_bridge(lab)
    for strict in (False, True):
        if strict:
            lab.strict()
        for index in (0, 1, 2, 3, BRIDGE, ABSENT):
            for mask in (*(1 << bit for bit in range(6)), 24, 31, 63, 2**31):
                head = il.IfStatsMsg(index=index, filter_mask=mask).pack()
                log(f"{strict} {index} {mask}", lab.answers(rt.RTM_GETSTATS, head, 0))
        for mask, type, bits in product((8, 1), range(1, 6), (0, 1, 2, 4, 7, 8, 15, 16)):
            head = il.IfStatsMsg(index=LO, filter_mask=mask).pack()
            body = head + attr(1 | NESTED, attr(type, u32(bits)))
            # simkernel does not model the reply to a filter without IFLA_OFFLOAD_XSTATS_HW_S_INFO (bit 1).
            if bits & 2 or not mask & 1 << type - 1:
                log(f"{strict} {mask} {type} {bits}", lab.answers(rt.RTM_GETSTATS, body, 0))
        for mask in (0, 1, 8, 16, 31, 32):
            log(
                f"{strict} all {mask}",
                lab.answers(rt.RTM_GETSTATS, il.IfStatsMsg(filter_mask=mask).pack(), DUMP),
            )
        for fields in ({"pad1": 1}, {"pad2": 1}, {"index": 2}, {"family": AF_INET}):
            for flags in (0, DUMP):
                head = il.IfStatsMsg(**{"filter_mask": 8, "index": LO if flags == 0 else 0, **fields})
                log(f"{strict} {fields} {flags}", lab.answers(rt.RTM_GETSTATS, head.pack(), flags))
            head = il.IfStatsMsg(**{"index": LO, **fields})
            log(f"{strict} set {fields}", lab.answers(rt.RTM_SETSTATS, head.pack(), ACK))
