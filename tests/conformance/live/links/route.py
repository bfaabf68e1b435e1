"""Random requests for routes of both families, and route lookups."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Final

from simkernel.uapi import netlink as nl
from simkernel.uapi import rtnetlink as rtnl
from simkernel.uapi.socket import AF_INET, AF_INET6
from simkernel.uapi.structure import U8, U16
from tests.conformance import wire
from tests.conformance.live.links.picks import BITS, Picks
from tests.conformance.live.links.requests import NEW_FLAGS, Request, dump

UNSPEC, UNICAST, LOCAL, BROADCAST, ANYCAST, MULTICAST, BLACKHOLE, UNREACHABLE, PROHIBIT, THROW, NAT = range(
    11
)
TYPES: Final = (
    *(UNICAST,) * 12,
    *(BLACKHOLE, UNREACHABLE, PROHIBIT, THROW) * 2,
    *(LOCAL, BROADCAST, ANYCAST, MULTICAST, UNSPEC, NAT, 12, 255),
)
MAIN, LOCAL_TABLE, DEFAULT = 254, 255, 253
TABLES: Final = (*(MAIN,) * 8, LOCAL_TABLE, DEFAULT, 100, 100, 0)
KERNEL, BOOT, STATIC = 2, 3, 4
ONLINK, PERVASIVE, DEAD, LINKDOWN = 4, 2, 1, 16
SCOPES: Final = (*(0,) * 6, 253, 253, 254, 200, 255)
MTU, WINDOW, ADVMSS, HOPLIMIT, FEATURES, LOCK, CC_ALGO = 2, 3, 8, 10, 12, 1, 16


def _head(
    p: Picks,
    family: int,
    bits: int,
    *,
    type: int,
    table: int,
    tos: int = 0,
    scope: int = 0,
    flags: int = 0,
    source: int = 0,
) -> bytes:
    source = source if p.often(0.99) else p.one(24, 64, 255)
    protocol = p.one(BOOT, BOOT, STATIC, 0, KERNEL, 200)
    return rtnl.RtMsg(family, bits & 255, source, tos, table, protocol, scope, type, flags).pack()


def _scope(p: Picks, type: int, gateway: bool) -> int:
    """Return a scope, mostly that which `ip route` would choose for the route type."""
    if p.often(0.05):
        return p.one(*SCOPES)
    if type in (LOCAL, NAT):
        return 254
    return 253 if type in (BROADCAST, MULTICAST, ANYCAST) or (type == UNICAST and not gateway) else 0


def _metrics(p: Picks) -> bytes:
    makers: tuple[Callable[[], bytes], ...] = (
        lambda: p.number(MTU, 1400, 1280, 65536),
        lambda: p.number(ADVMSS, 1400, 70000),
        lambda: p.number(HOPLIMIT, 1, 64, 255, 256),
        lambda: p.number(WINDOW, 1000),
        lambda: p.number(LOCK, 1 << MTU),
        lambda: p.number(FEATURES, 1, 4, 0x80),
        lambda: p.number(p.one(0, 17, 18, 40), 1),
        lambda: p.attribute(CC_ALGO, p.random.choice((b"cubic\0", b"reno\0", b"nosuch\0"))),
    )
    metrics = b"".join(
        p.random.choice(makers[:-1] if p.often(0.97) else makers)() for _ in range(p.one(1, 1, 2))
    )
    return p.attribute(rtnl.RTA_METRICS | p.one(0, nl.NLA_F_NESTED), metrics)


def _gateway(p: Picks, family: int, index: int) -> bytes:
    """Return an attribute with a gateway, mostly a reachable one."""
    if family == AF_INET and p.often(0.06):
        via = p.random.choice(
            (
                *(struct.pack("<H", AF_INET) + p.host(AF_INET, index),) * 30,
                struct.pack("<H", AF_INET6) + p.host(AF_INET6, index),
            )
        )
        return p.attribute(18, via)
    address = p.host(family, p.one(index, index + 1)) if p.often(0.94) else p.odd_host(family)
    return p.attribute(rtnl.RTA_GATEWAY, address)


def _multipath(p: Picks, family: int) -> bytes:
    hops = b""
    for _ in range(p.one(1, 2, 2, 3)):
        index = p.index()
        inner = _gateway(p, family, index) if p.often(0.7) else b""
        length = 8 + len(inner) if p.often(0.98) else p.one(0, 7, 200)
        flags = 0 if p.often(0.9) else p.one(ONLINK, DEAD, LINKDOWN, PERVASIVE)
        if p.often(0.05):
            inner += (
                p.number(rtnl.RTA_FLOW, 1, 65537) if p.often(0.5) else p.attribute(18, b"\2\0" + bytes(4))
            )
            length = 8 + len(inner)
        hops += struct.pack("<HBBi", length, flags, p.one(0, 0, 1, 255), index) + inner
    return p.attribute(rtnl.RTA_MULTIPATH, hops)


def _body(p: Picks, family: int) -> tuple[bytes, bytes]:
    """Return the header and the attributes of a random route."""
    destination, bits = p.prefix(family)
    type, index = p.one(*TYPES), p.index()
    attributes = p.attribute(rtnl.RTA_DST, destination) if bits or p.often(0.3) else b""
    gateway = False
    if type in (UNICAST, LOCAL, BROADCAST, ANYCAST, MULTICAST) or p.often(0.1):
        pick = p.random.random()
        if pick < 0.12:
            attributes, gateway = attributes + _multipath(p, family), True
        else:
            gateway = p.often(0.45)
            attributes += _gateway(p, family, index) if gateway else b""
            attributes += p.some(0.6 if gateway else 0.95, lambda: p.number(rtnl.RTA_OIF, index))
    table = p.one(*TABLES)
    if p.often(0.12):
        attributes += p.number(rtnl.RTA_TABLE, table, 100, 1000, MAIN)
    attributes += p.some(
        0.12,
        lambda: p.number(rtnl.RTA_PRIORITY, 0, 1, 100, 1024),
        lambda: p.attribute(rtnl.RTA_PREFSRC, p.host(family, index)),
        lambda: _metrics(p),
    )
    attributes += p.some(
        0.03,
        lambda: p.attribute(rtnl.RTA_PREF, U8.pack(p.one(0, 1, 3, 2))),
        lambda: p.number(rtnl.RTA_EXPIRES, 100, 1000),
        lambda: p.number(rtnl.RTA_FLOW, 1, 65537),
        lambda: p.number(rtnl.RTA_NH_ID, 1, 0),
    )
    attributes += p.some(
        0.003,
        lambda: p.attribute(rtnl.RTA_ENCAP_TYPE, U16.pack(p.one(0, 1, 9))),
        lambda: p.number(rtnl.RTA_FLOWLABEL, 5),
    )
    source, source_bits = p.prefix(family) if p.often(0.08) else (destination, 0)
    if source_bits or p.often(0.02):
        attributes += p.attribute(rtnl.RTA_SRC, source)
    tos = p.one(*(0,) * 10, 4, 8, 16, 1, 0x1C, 0xFF)
    flags = (
        0 if p.often(0.9) else p.one(ONLINK, ONLINK, PERVASIVE, 8, DEAD, LINKDOWN, rtnl.RTM_F_CLONED, 0x4000)
    )
    scope = _scope(p, type, gateway)
    head = _head(
        p, family, bits, type=type, table=table, tos=tos, scope=scope, flags=flags, source=source_bits
    )
    return head, attributes


def add(p: Picks) -> Request:
    """Return a request that adds, replaces or appends a route."""
    family = p.one(AF_INET, AF_INET6) if p.often(0.97) else p.family()
    head, attributes = _body(p, family if family in BITS else AF_INET)
    return Request(rtnl.RTM_NEWROUTE, bytes((family,)) + head[1:] + attributes, p.one(*NEW_FLAGS))


def delete(p: Picks) -> Request:
    """Return a request that deletes a route, selected by a random part of its attributes."""
    family = p.one(AF_INET, AF_INET6) if p.often(0.97) else p.family()
    known = family if family in BITS else AF_INET
    if p.often(0.5):
        head, attributes = _body(p, known)
    else:
        destination, bits = p.prefix(known)
        type, scope = p.one(0, 0, 0, UNICAST, BLACKHOLE, LOCAL), p.one(255, 255, 255, 0, 253, 254)
        head = _head(p, known, bits, type=type, table=p.one(*TABLES), scope=scope)
        head = head[:5] + bytes((p.one(0, 0, 0, BOOT, KERNEL),)) + head[6:]
        attributes = wire.attr(rtnl.RTA_DST, destination)
        attributes += p.some(
            0.2, lambda: p.number(rtnl.RTA_OIF, p.index()), lambda: p.number(rtnl.RTA_PRIORITY, 100, 256)
        )
    return Request(rtnl.RTM_DELROUTE, bytes((family,)) + head[1:] + attributes)


def lookup(p: Picks) -> Request:
    """Return a request that looks up the route to an address."""
    family = p.one(AF_INET, AF_INET6)
    index = p.index()
    to = p.host(family, p.one(index, index + 1, 3)) if p.often(0.85) else p.odd_host(family)
    bits = BITS[family] if p.often(0.9) else p.one(0, 24, 64)
    flags = p.one(
        *(0,) * 4, rtnl.RTM_F_LOOKUP_TABLE, rtnl.RTM_F_FIB_MATCH, rtnl.RTM_F_FIB_MATCH, rtnl.RTM_F_NOTIFY
    )
    head = rtnl.RtMsg(family, bits, 0, p.one(*(0,) * 8, 4, 16), 0, 0, 0, 0, flags).pack()
    attributes = p.some(0.97, lambda: p.attribute(rtnl.RTA_DST, to)) + p.some(
        0.12,
        lambda: p.number(rtnl.RTA_OIF, index),
        lambda: p.number(rtnl.RTA_IIF, 1, index) if family == AF_INET6 or p.often(0.02) else b"",
        lambda: p.number(rtnl.RTA_MARK, 0, 1),
        lambda: p.number(rtnl.RTA_UID, 0, 1000),
    )
    if p.often(0.12):
        attributes += p.attribute(rtnl.RTA_SRC, p.host(family, index))
        head = head[:2] + bytes((BITS[family],)) + head[3:]
    attributes += p.some(
        0.03,
        lambda: p.attribute(rtnl.RTA_IP_PROTO, U8.pack(p.one(1, 6, 17, 58, 99))),
        lambda: p.attribute(rtnl.RTA_SPORT, U16.pack(80)),
        lambda: p.attribute(rtnl.RTA_DPORT, U16.pack(80)),
    )
    return Request(rtnl.RTM_GETROUTE, head + attributes)


def get_all(p: Picks) -> Request:
    """Return a request that dumps routes."""
    family = p.one(0, AF_INET, AF_INET, AF_INET6, AF_INET6, 17)
    table, protocol, type = (
        (0, 0, 0) if p.often(0.7) else (p.one(0, 0, 255), p.one(0, BOOT, KERNEL), p.one(0, UNICAST, LOCAL))
    )
    flags = p.one(*(0,) * 12, rtnl.RTM_F_CLONED, rtnl.RTM_F_PREFIX)
    head = rtnl.RtMsg(family, 0, 0, 0, table, protocol, 0, type, flags).pack()
    attributes = p.some(0.12, lambda: p.number(rtnl.RTA_TABLE, MAIN, LOCAL_TABLE, 100, 1000, 7)) + p.some(
        0.1, lambda: p.number(rtnl.RTA_OIF, p.index())
    )
    return dump(rtnl.RTM_GETROUTE, head + attributes)
