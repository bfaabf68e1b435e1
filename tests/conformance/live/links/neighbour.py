"""Random requests for IPv4 and IPv6 neighbours, for proxies, and for forwarding entries of bridges."""

from __future__ import annotations

from typing import Final

from simkernel.uapi import neighbour as nb
from simkernel.uapi import netlink as nl
from simkernel.uapi import rtnetlink as rtnl
from simkernel.uapi.socket import AF_BRIDGE, AF_INET, AF_INET6
from simkernel.uapi.structure import U8, U16
from tests.conformance.live.links.picks import UNSPECIFIED, Picks
from tests.conformance.live.links.requests import NEW_FLAGS, Request, dump

REACHABLE, STALE, FAILED, NOARP, PERMANENT = 0x02, 0x04, 0x20, 0x40, 0x80
STATES: Final = (*(PERMANENT,) * 6, *(STALE,) * 3, *(NOARP,) * 3, REACHABLE, REACHABLE, FAILED, 0, 0x100)
"""Neighbour states whose timer does not expire while a random program runs. An expired timer would make the
host send packets.
"""
USE, SELF, MASTER, PROXY, EXT_LEARNED, ROUTER, STICKY = 0x01, 0x02, 0x04, 0x08, 0x10, 0x80, 0x40
ENTRY_MAC: Final = b"\x02\xbb\0\0\0"
"""First five bytes of the Ethernet addresses in most forwarding entries. The last byte is 1, 2 or 3, so that
several requests of a program use the same entry.
"""


def _destination(p: Picks, family: int, index: int) -> bytes:
    address = p.host(family, index + 1) if p.often(0.95) else UNSPECIFIED[family]
    return p.attribute(nb.NDA_DST, address)


def add(p: Picks) -> Request:
    """Return a request that adds or changes a neighbour or a proxy."""
    family, index = p.family(), p.index()
    known = family if family in (AF_INET, AF_INET6) else AF_INET
    flags = p.one(*(0,) * 8, PROXY, PROXY, EXT_LEARNED, ROUTER, SELF, MASTER)
    attributes = p.some(0.97, lambda: _destination(p, known, index)) + p.some(
        0.85, lambda: p.attribute(nb.NDA_LLADDR, p.mac())
    )
    attributes += p.some(
        0.04,
        lambda: p.attribute(nb.NDA_PROTOCOL, U8.pack(p.one(0, 3, 200))),
        lambda: p.number(nb.NDA_FLAGS_EXT, 0, 1, 2, 4),
        lambda: p.number(nb.NDA_PROBES, 1),
    )
    head = nb.NdMsg(
        family, 0, 0, index if p.often(0.95) else 0, p.one(*STATES), flags, p.one(*(0,) * 9, 1, 5)
    ).pack()
    return Request(rtnl.RTM_NEWNEIGH, head + attributes, p.one(*NEW_FLAGS))


def delete(p: Picks) -> Request:
    """Return a request that deletes a neighbour or a proxy."""
    family, index = p.family(), p.index()
    known = family if family in (AF_INET, AF_INET6) else AF_INET
    head = nb.NdMsg(family, 0, 0, index, 0, p.one(*(0,) * 5, PROXY, PROXY), 0).pack()
    return Request(rtnl.RTM_DELNEIGH, head + p.some(0.97, lambda: _destination(p, known, index)))


def get(p: Picks) -> Request:
    """Return a request for a single neighbour."""
    family, index = p.one(AF_INET, AF_INET6), p.index()
    head = nb.NdMsg(family, 0, 0, index, 0, p.one(*(0,) * 5, PROXY), 0).pack()
    return Request(rtnl.RTM_GETNEIGH, head + p.some(0.97, lambda: _destination(p, family, index)))


def get_all(p: Picks) -> Request:
    """Return a request that dumps neighbours."""
    head = nb.NdMsg(
        p.one(0, AF_INET, AF_INET6, AF_INET6),
        0,
        0,
        p.index() if p.often(0.1) else 0,
        0,
        p.one(0, 0, 0, PROXY),
        0,
    ).pack()
    attributes = p.some(
        0.15, lambda: p.number(nb.NDA_IFINDEX, 0, p.index()), lambda: p.number(nb.NDA_MASTER, 0, p.index())
    )
    return dump(rtnl.RTM_GETNEIGH, head + attributes)


# -- forwarding entries ------------------------------------------------------------


def _entry(p: Picks) -> bytes:
    address = (
        ENTRY_MAC + bytes((p.one(1, 2, 3),))
        if p.often(0.95)
        else p.random.choice((b"\x01\0\x5e\0\0\1", bytes(6), b""))
    )
    return p.attribute(nb.NDA_LLADDR, address) + p.some(
        0.08, lambda: p.attribute(nb.NDA_VLAN, U16.pack(p.one(0, 1, 1, 2, 4095)))
    )


def add_entry(p: Picks) -> Request:
    """Return a request that adds or changes a forwarding entry of a bridge."""
    state = p.one(*(PERMANENT,) * 4, NOARP, NOARP, REACHABLE, STALE, 0)
    flags = p.one(
        *(MASTER,) * 6, SELF, SELF, 0, SELF | MASTER, MASTER | EXT_LEARNED, MASTER | STICKY, MASTER | USE
    )
    head = nb.NdMsg(AF_BRIDGE, 0, 0, p.index(), state, flags, 0).pack()
    attributes = _entry(p) + p.some(0.04, lambda: p.attribute(nb.NDA_DST, p.host(AF_INET, 2)))
    return Request(rtnl.RTM_NEWNEIGH, head + attributes, p.one(*NEW_FLAGS))


def delete_entry(p: Picks) -> Request:
    """Return a request that deletes one forwarding entry or, with NLM_F_BULK, all entries that match."""
    flags = p.one(*(SELF,) * 8, MASTER, 0)
    head = nb.NdMsg(AF_BRIDGE, 0, 0, p.index(), p.one(0, 0, PERMANENT), flags, 0).pack()
    if p.often(0.15):
        attributes = p.some(
            0.3, lambda: p.number(nb.NDA_IFINDEX, p.index()), lambda: p.attribute(nb.NDA_VLAN, U16.pack(1))
        )
        return Request(rtnl.RTM_DELNEIGH, head + attributes, 0x100)
    return Request(rtnl.RTM_DELNEIGH, head + _entry(p))


def get_entries(p: Picks) -> Request:
    """Return a request for one forwarding entry or for all."""
    index = p.index() if p.often(0.3) else 0
    if p.often(0.4):
        head = nb.NdMsg(AF_BRIDGE, 0, 0, index, 0, p.one(0, MASTER, SELF), 0).pack()
        return Request(
            rtnl.RTM_GETNEIGH, head + _entry(p) + p.some(0.3, lambda: p.number(nb.NDA_MASTER, p.index()))
        )
    head = nb.NdMsg(AF_BRIDGE, 0, 0, index, 0, 0, 0).pack()
    return Request(
        rtnl.RTM_GETNEIGH, head + p.some(0.3, lambda: p.number(nb.NDA_MASTER, p.index())), nl.NLM_F_DUMP
    )
