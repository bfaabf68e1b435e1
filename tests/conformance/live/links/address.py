"""Random requests RTM_NEWADDR, RTM_DELADDR and RTM_GETADDR for addresses of both families."""

from __future__ import annotations

import struct
from typing import Final

from simkernel.uapi import if_addr as ia
from simkernel.uapi import netlink as nl
from simkernel.uapi import rtnetlink as rtnl
from simkernel.uapi.socket import AF_INET, AF_INET6
from simkernel.uapi.structure import U8
from tests.conformance.live.links.picks import Picks
from tests.conformance.live.links.requests import NEW_FLAGS, Request, dump

NODAD, OPTIMISTIC, HOMEADDRESS, PERMANENT, MANAGETEMP, NOPREFIXROUTE, MCAUTOJOIN = (
    0x2,
    0x4,
    0x10,
    0x80,
    0x100,
    0x200,
    0x400,
)
FOREVER: Final = 0xFFFFFFFF
LIFETIMES: Final = (FOREVER, FOREVER, FOREVER, 1000, 2000, 0)
SCOPES: Final = (0, 0, 0, 0, 200, 253, 254, 255)


def _head(p: Picks, family: int, index: int, bits: int, flags: int = 0) -> bytes:
    return rtnl.IfAddrMsg(family, bits & 255, flags, p.one(*SCOPES), index & 0xFFFFFFFF).pack()


def _bits(p: Picks, family: int) -> int:
    if p.often(0.02):
        return p.one(33, 129, 255)
    return p.one(24, 24, 24, 32, 31, 8, 0) if family == AF_INET else p.one(64, 64, 64, 128, 127, 48, 0)


def _addresses(p: Picks, family: int, index: int) -> bytes:
    """Return IFA_LOCAL, IFA_ADDRESS or both attributes."""
    address = p.host(family, index) if p.often(0.93) else p.odd_host(family)
    pick = p.random.random()
    if pick < 0.6:
        return p.attribute(ia.IFA_LOCAL, address) + p.attribute(ia.IFA_ADDRESS, address)
    if pick < 0.75:
        return p.attribute(ia.IFA_LOCAL, address)
    if pick < 0.85:
        return p.attribute(ia.IFA_ADDRESS, address)
    if pick < 0.98:
        return p.attribute(ia.IFA_LOCAL, address) + p.attribute(ia.IFA_ADDRESS, p.host(family, index + 1))
    return b""


def _label(p: Picks) -> bytes:
    return p.random.choice((p.name(), b"a0:1\0", b"lo:x\0", b"q" * 15, b"q" * 16))


def add(p: Picks) -> Request:
    """Return a request that adds an address or changes an existing one."""
    family, index = p.family(), p.index()
    known = family if family in (AF_INET, AF_INET6) else AF_INET
    attributes = _addresses(p, known, index)
    flags = p.one(0, 0, NODAD) if known == AF_INET6 else 0
    if p.often(0.2):
        flags |= p.one(NOPREFIXROUTE, NODAD, HOMEADDRESS, MCAUTOJOIN, MANAGETEMP, PERMANENT, OPTIMISTIC, 1)
    header_flags = 0
    if flags > 255 or p.often(0.3):
        attributes += p.number(ia.IFA_FLAGS, flags)
    else:
        header_flags = flags
    attributes += p.some(
        0.12,
        lambda: p.attribute(ia.IFA_BROADCAST, p.host(known, 15) if p.often(0.5) else b"\xff" * 4),
        lambda: p.attribute(ia.IFA_LABEL, _label(p)),
        lambda: p.number(ia.IFA_RT_PRIORITY, 0, 1, 100, 1024),
        lambda: p.attribute(ia.IFA_PROTO, U8.pack(p.one(0, 1, 3, 200))),
        lambda: p.attribute(
            ia.IFA_CACHEINFO, struct.pack("<IIII", p.one(*LIFETIMES), p.one(*LIFETIMES), 0, 0)
        ),
    )
    return Request(
        rtnl.RTM_NEWADDR,
        _head(p, family, index, _bits(p, known), header_flags) + attributes,
        p.one(*NEW_FLAGS),
    )


def delete(p: Picks) -> Request:
    """Return a request that deletes an address, which it selects by value, prefix length and label."""
    family, index = p.family(), p.index()
    known = family if family in (AF_INET, AF_INET6) else AF_INET
    attributes = p.some(0.95, lambda: _addresses(p, known, index)) + p.some(
        0.08, lambda: p.attribute(ia.IFA_LABEL, _label(p)), lambda: p.number(ia.IFA_FLAGS, 0, MANAGETEMP)
    )
    return Request(rtnl.RTM_DELADDR, _head(p, family, index, _bits(p, known)) + attributes)


def get(p: Picks) -> Request:
    """Return a request for a single IPv6 address. (IPv4 has no such request.)"""
    family = p.one(AF_INET6, AF_INET6, AF_INET6, AF_INET)
    index = p.index()
    attributes = _addresses(p, family, index) + p.some(
        0.08, lambda: p.number(ia.IFA_TARGET_NETNSID, 0, 0, 1, -1)
    )
    return Request(
        rtnl.RTM_GETADDR, rtnl.IfAddrMsg(family, 0, 0, 0, p.one(0, index) & 0xFFFFFFFF).pack() + attributes
    )


def get_all(p: Picks) -> Request:
    """Return a request that dumps addresses."""
    family = p.one(0, AF_INET, AF_INET, AF_INET6, AF_INET6, 17, 200)
    index = p.index() if p.often(0.25) else 0
    head = rtnl.IfAddrMsg(family, *((0, 0, 0) if p.often(0.97) else (24, 0, 1)), index & 0xFFFFFFFF).pack()
    attributes = p.some(0.15, lambda: p.number(ia.IFA_TARGET_NETNSID, 0, 0, 1, -1))
    return dump(rtnl.RTM_GETADDR, head + attributes)


def get_multicast(p: Picks) -> Request:
    """Return a request that dumps the multicast or anycast addresses of links."""
    head = rtnl.IfAddrMsg(
        p.one(AF_INET6, AF_INET6, AF_INET, 0), 0, 0, 0, p.index() & 0xFFFFFFFF if p.often(0.2) else 0
    ).pack()
    return Request(p.one(rtnl.RTM_GETMULTICAST, rtnl.RTM_GETANYCAST), head, nl.NLM_F_DUMP)
