"""Parts of rtnetlink messages that are not compared, because the kernel chooses them or packets change them.

A part is given by a path of attributes. The comparison copies its bytes from the simulated kernel's
message into the real kernel's message, then compares lengths and all bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

from simkernel.uapi import netlink as nl
from simkernel.uapi import rtnetlink as rtnl
from simkernel.uapi.socket import AF_BRIDGE
from simkernel.uapi.structure import U16, U32

Tree = dict[int, "Tree | tuple[int, int | None]"]

BRIDGE: Final[Tree] = dict.fromkeys((16, 17, 18, 19, 48), (0, None))
"""IFLA_BR_HELLO_TIMER, TCN_TIMER, TOPOLOGY_CHANGE_TIMER, GC_TIMER: the remaining times.

IFLA_BR_FDB_N_LEARNED: the number of addresses that packets have taught the bridge.
"""
PORT: Final[Tree] = dict.fromkeys((21, 22, 23, 38, 41), (0, None))
"""IFLA_BRPORT_MESSAGE_AGE_TIMER, FORWARD_DELAY_TIMER, HOLD_TIMER: the remaining times.

IFLA_BRPORT_MCAST_EHT_HOSTS_CNT, MCAST_N_GROUPS: memberships that packets report.
"""
INET6: Final[Tree] = {2: (36, 40), 3: (0, None), 5: (4, 12), 6: (0, None)}
"""IFLA_INET6_STATS, IFLA_INET6_ICMP6STATS: packet counters. IFLA_INET6_CACHEINFO: a timestamp and a random
interval. IFLA_INET6_CONF: only the value DEVCONF_RTR_SOLICIT_DELAY, because the search sets it on the host
(`DAD_DELAY`).
"""
LINK: Final[Tree] = {
    7: (0, None),
    23: (0, None),
    31: (0, None),
    32: (0, None),
    18: {2: BRIDGE, 5: PORT},
    12: {**PORT, **INET6},
    26: {10: INET6},
}
"""IFLA_STATS, STATS64: packet counters. IFLA_NUM_TX_QUEUES, NUM_RX_QUEUES: number of possible CPUs."""
ADDRESS: Final[Tree] = {6: (8, 16)}
"""IFA_CACHEINFO: times of the address's creation and last change."""
ROUTE: Final[Tree] = {12: (0, 12)}
"""RTA_CACHEINFO: references, last use and remaining lifetime of a route."""
NEIGHBOUR: Final[Tree] = {3: (0, 16)}
"""NDA_CACHEINFO: ages and references of a neighbour."""
TREES: Final[dict[int, tuple[int, Tree]]] = {
    4: (16, LINK),
    5: (8, ADDRESS),
    6: (12, ROUTE),
    7: (12, NEIGHBOUR),
    14: (8, ADDRESS),
}
"""For each kind of object (message type divided by 4): the size of the message's header, and the parts of the
message that are not compared.
"""

NEIGHBOUR_TYPE: Final = U16.pack(rtnl.RTM_NEWNEIGH)
NEIGHBOUR_KEY: Final = 48
"""Number of bytes at the start of a message that identify a neighbour: headers and address."""

Path = tuple[int, ...]


def free_places(data: bytes) -> dict[Path, slice]:
    """Return the slices of a datagram that are not compared, as a dict. Each key is a tuple: the index of the
    message in the datagram, then the types of the nested attributes.
    """
    found: dict[Path, slice] = {}
    offset = number = 0
    while len(data) - offset >= nl.NLMSG_HDRLEN:
        length, type, *_ = nl.NlMsgHdr.LAYOUT.unpack_from(data, offset)
        if length < nl.NLMSG_HDRLEN:
            break
        if type >> 2 in TREES:
            size, tree = TREES[type >> 2]
            start, end = offset + nl.NLMSG_HDRLEN + size, min(offset + length, len(data))
            for path, place in _places(data, start, end, tree):
                found[number, *path] = place
        offset += nl.align4(length)
        number += 1
    return found


def _places(data: bytes, start: int, end: int, tree: Tree) -> Iterator[tuple[Path, slice]]:
    while end - start >= 4:
        length, type = struct.unpack_from("<HH", data, start)
        if length < 4:
            return
        length = min(length, end - start)
        match tree.get(type & nl.NLA_TYPE_MASK):
            case (int(first), last):
                stop = start + length if last is None else min(start + 4 + last, start + length)
                yield (type,), slice(start + 4 + first, stop)
            case dict() as inner:
                for path, place in _places(data, start + 4, start + length, inner):
                    yield (type, *path), place
        start += nl.align4(length)


def in_order_of(real: bytes, simulated: bytes) -> bytes:
    """Return the real kernel's datagram with its neighbours in the simulated kernel's order.

    The order of neighbours in a dump depends on a random seed of their hash table
    (`neigh_get_hash_rnd()`).
    """
    places = {message[:NEIGHBOUR_KEY]: place for place, message in enumerate(_split(simulated))}
    neighbours = [message for message in _split(real) if message[4:6] == NEIGHBOUR_TYPE]
    if len(neighbours) < 2 or any(message[nl.NLMSG_HDRLEN] == AF_BRIDGE for message in neighbours):
        return real
    others = [message for message in _split(real) if message[4:6] != NEIGHBOUR_TYPE]
    neighbours.sort(key=lambda message: places.get(message[:NEIGHBOUR_KEY], len(places)))
    return b"".join((*neighbours, *others))


def _split(data: bytes) -> Iterator[bytes]:
    """Yield the messages of a datagram."""
    while len(data) >= nl.NLMSG_HDRLEN:
        size = nl.align4(max(nl.NLMSG_HDRLEN, U32.unpack_from(data)[0]))
        yield data[:size]
        data = data[size:]


def with_free_places(real: bytes, simulated: bytes) -> bytes:
    """Return a copy of the real kernel's datagram. Parts that are not compared are replaced with those of the
    simulated kernel's datagram.
    """
    theirs = free_places(simulated)
    result = bytearray(real)
    for path, place in free_places(real).items():
        other = theirs.get(path)
        if other is not None and other.stop - other.start == place.stop - place.start:
            result[place] = simulated[other]
    return bytes(result)
