"""Random requests for routing rules of both families."""

from __future__ import annotations

import struct

from simkernel.uapi import rtnetlink as rtnl
from simkernel.uapi.fib_rules import FibRuleHdr
from simkernel.uapi.socket import AF_INET, AF_INET6
from simkernel.uapi.structure import U8
from tests.conformance.live.links.picks import BITS, Picks
from tests.conformance.live.links.requests import NEW_FLAGS, Request, dump

(
    DST,
    SRC,
    IIFNAME,
    GOTO,
    PRIORITY,
    FWMARK,
    FLOW,
    SUPPRESS_IFGROUP,
    SUPPRESS_PREFIXLEN,
    TABLE,
    FWMASK,
    OIFNAME,
    L3MDEV,
    UID_RANGE,
    PROTOCOL,
    IP_PROTO,
    SPORT_RANGE,
    DPORT_RANGE,
    DSCP,
) = (1, 2, 3, 4, 6, 10, 11, 13, 14, 15, 16, 17, 19, 20, 21, 22, 23, 24, 25)
TO_TABLE, ACT_GOTO, NOP, BLACKHOLE, UNREACHABLE, PROHIBIT = 1, 2, 3, 6, 7, 8


def _rule(p: Picks, family: int) -> tuple[bytes, bytes]:
    known = family if family in BITS else AF_INET
    attributes, lengths = b"", [0, 0]
    for place, type in enumerate((DST, SRC)):
        if p.often(0.25):
            address, bits = p.prefix(known)
            lengths[place] = bits
            attributes += p.attribute(type, address)
    action = p.one(*(TO_TABLE,) * 8, BLACKHOLE, UNREACHABLE, PROHIBIT, NOP, ACT_GOTO, 0, 4, 9)
    if action == ACT_GOTO or p.often(0.02):
        attributes += p.number(GOTO, 100, 101, 32766, 0)
    attributes += p.some(0.75, lambda: p.number(PRIORITY, 100, 100, 101, 102, 32766, 0))
    attributes += p.some(
        0.12,
        lambda: p.number(FWMARK, 0, 1, 2),
        lambda: p.number(TABLE, 100, 254, 1000, 0),
        lambda: p.attribute(IIFNAME, p.name()),
        lambda: p.attribute(OIFNAME, p.name()),
    )
    attributes += p.some(
        0.04,
        lambda: p.number(FWMASK, 0xFF, 0),
        lambda: p.number(SUPPRESS_IFGROUP, 1, -1),
        lambda: p.number(SUPPRESS_PREFIXLEN, 0, 24, -1),
        lambda: p.attribute(PROTOCOL, U8.pack(p.one(0, 3))),
        lambda: p.attribute(IP_PROTO, U8.pack(p.one(0, 6, 17))),
        lambda: p.attribute(SPORT_RANGE, struct.pack("<HH", p.one(1, 80), p.one(80, 90, 0))),
        lambda: p.attribute(DPORT_RANGE, struct.pack("<HH", p.one(1, 80), p.one(80, 90, 0))),
        lambda: p.attribute(UID_RANGE, struct.pack("<II", p.one(0, 1000), p.one(1000, 10))),
        lambda: p.attribute(L3MDEV, U8.pack(p.one(0, 2, 2, 2, 1))) if p.often(0.1) else b"",
        lambda: p.number(FLOW, 1, 65536, 131075),
        lambda: p.attribute(DSCP, U8.pack(p.one(0, 1, 4, 63, 64))),
    )
    table = p.one(254, 254, 100, 255, 253, 0)
    tos = p.one(*(0,) * 10, 4, 16, 0xFF)
    flags = 0 if p.often(0.9) else p.one(2, 4, 1, 0x10000)
    head = FibRuleHdr(family, lengths[0] & 255, lengths[1] & 255, tos, table, 0, 0, action, flags).pack()
    return head, attributes


def _family(p: Picks) -> int:
    return p.one(AF_INET, AF_INET6) if p.often(0.95) else p.family()


def add(p: Picks) -> Request:
    """Return a request that adds a routing rule."""
    head, attributes = _rule(p, _family(p))
    return Request(rtnl.RTM_NEWRULE, head + attributes, p.one(*NEW_FLAGS))


def delete(p: Picks) -> Request:
    """Return a request that deletes a routing rule. The kernel deletes the first rule that matches all
    attributes of the request.
    """
    family = _family(p)
    head, attributes = _rule(p, family)
    if p.often(0.5):
        head = FibRuleHdr(family, 0, 0, 0, p.one(0, 0, 254, 100), 0, 0, p.one(0, 0, TO_TABLE), 0).pack()
        attributes = p.some(0.9, lambda: p.number(PRIORITY, 100, 100, 101, 102, 32766))
    return Request(rtnl.RTM_DELRULE, head + attributes)


def get_all(p: Picks) -> Request:
    """Return a request that dumps routing rules."""
    head = FibRuleHdr(
        p.one(AF_INET, AF_INET6, 0, 17), *((0,) * 8 if p.often(0.95) else (24,) + (0,) * 7)
    ).pack()
    return (dump if p.often(0.95) else Request)(rtnl.RTM_GETRULE, head)
