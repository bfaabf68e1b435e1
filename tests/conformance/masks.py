"""Functions that set message fields to 0 if the kernel chooses them freely or if they depend on packets.

simkernel does not model packets, so packet counters differ as soon as a link is up.
"""

from __future__ import annotations

from collections.abc import Set
from typing import Final

from simkernel.uapi import if_link as il
from simkernel.uapi import rtnetlink as rt
from simkernel.uapi.if_bridge import Br, BrPort
from simkernel.uapi.netlink import NLA_TYPE_MASK, NLMSG_HDRLEN, locate_attributes
from simkernel.uapi.rtnetlink import IfInfoMsg
from simkernel.uapi.socket import AF_BRIDGE, AF_INET6
from tests.conformance import wire

IFLA_INET6_STATS: Final = 3
IFLA_INET6_CACHEINFO: Final = 5
IFLA_INET6_ICMP6STATS: Final = 6
CHOSEN: Final = slice(4, 12)
"""Position of two fields in `struct ifla_cacheinfo` that vary between runs: the time of the last change, and
the random reachable time.
"""


def mask_links(datagram: bytes) -> bytes:
    """Zero the counters and the times of each RTM_NEWLINK and RTM_DELLINK message in a datagram."""
    data = bytearray(datagram)
    start = 0
    for header, payload in wire.messages(datagram):
        if header[1] in (rt.RTM_NEWLINK, rt.RTM_DELLINK):
            first, last = start + NLMSG_HDRLEN + IfInfoMsg.SIZE, start + NLMSG_HDRLEN + len(payload)
            _link(data, first, last, payload[0])
        start += (header[0] + 3) & ~3
    return bytes(data)


def _link(data: bytearray, first: int, last: int, family: int) -> None:
    for type, start, end in _located(data, first, last):
        if type in (il.IFLA_STATS, il.IFLA_STATS64):
            data[start:end] = bytes(end - start)
        elif type == il.IFLA_PROTINFO and family == AF_BRIDGE:
            _clear(data, start, end, PORT_CHOSEN)
        elif type == il.IFLA_PROTINFO:
            _inet6(data, start, end)
        elif type == il.IFLA_LINKINFO and b"bridge\0" in data[start:end]:
            for inner, inner_start, inner_end in _located(data, start, end):
                if inner == il.IFLA_INFO_DATA:
                    _clear(data, inner_start, inner_end, BRIDGE_CHOSEN)
                elif inner == il.IFLA_INFO_SLAVE_DATA:
                    _clear(data, inner_start, inner_end, PORT_CHOSEN)
        elif type == il.IFLA_AF_SPEC:
            for inner, inner_start, inner_end in _located(data, start, end):
                if inner == AF_INET6:
                    _inet6(data, inner_start, inner_end)


BRIDGE_CHOSEN: Final = frozenset({Br.GC_TIMER, Br.FDB_N_LEARNED})
PORT_CHOSEN: Final = frozenset({BrPort.FORWARD_DELAY_TIMER, BrPort.MCAST_N_GROUPS})
"""Attributes of a bridge port that depend on time or packets: the remaining time of the forward delay timer,
and the number of multicast groups that the port has learned.
"""


def _clear(data: bytearray, first: int, last: int, types: Set[int]) -> None:
    for type, start, end in _located(data, first, last):
        if type in types:
            data[start:end] = bytes(end - start)


def _inet6(data: bytearray, first: int, last: int) -> None:
    for type, start, end in _located(data, first, last):
        if type in (IFLA_INET6_STATS, IFLA_INET6_ICMP6STATS):
            data[start:end] = bytes(end - start)
        elif type == IFLA_INET6_CACHEINFO:
            data[start + CHOSEN.start : start + CHOSEN.stop] = bytes(CHOSEN.stop - CHOSEN.start)


def _located(data: bytearray, first: int, last: int) -> list[tuple[int, int, int]]:
    located, _ = locate_attributes(bytes(data), first, last)
    return [(type & NLA_TYPE_MASK, start, end) for type, start, end in located]
