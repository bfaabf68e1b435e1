"""Removal of the host's netlink messages that packets cause. Simulated links carry no packets, so simkernel
sends no such messages.

The host's IPv6 and IGMP send packets when a link goes up. Each packet creates a neighbour for its
multicast address. A bridge of the host has forwarding entries for its own addresses and for learned
addresses. simkernel's bridges do not forward and have only the additional addresses of devices (NTF_SELF).
Entries for the multicast groups that IPv4 and IPv6 join are removed, too.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from simkernel.uapi import neighbour as nb
from simkernel.uapi import netlink as nl
from simkernel.uapi import rtnetlink as rtnl
from simkernel.uapi.socket import AF_BRIDGE
from tests.conformance import wire

QUEUE: Final = re.compile(rb"\w+@/devices/virtual/net/[^/]+/queues/[rt]x-[1-9]")
"""Matches the uevents of all queues except the first. On the host, a veth has a queue for each possible
CPU.
"""
NEIGHBOURS: Final = frozenset({rtnl.RTM_NEWNEIGH, rtnl.RTM_DELNEIGH})
INTERFACES: Final = re.compile(rb"(?m)^\s*(\S+):.*\n")
"""Matches a line of /proc/net/dev with the counters of one interface."""


def without_packets(outcomes: list[tuple[str, Any]]) -> list[tuple[str, Any]]:
    """Return the received messages without those that packets caused."""
    kept = []
    for kind, value in outcomes:
        if isinstance(value, tuple):
            if QUEUE.match(value[0]):
                continue
            data = _remaining(value[0])
            if value[0] and not data:
                continue
            kept.append((kind, (data, *value[1:])))
        else:
            kept.append((kind, value))
    return kept


def _remaining(data: bytes) -> bytes:
    offset, parts = 0, []
    while len(data) - offset >= nl.NLMSG_HDRLEN:
        length, type, *_ = nl.NlMsgHdr.LAYOUT.unpack_from(data, offset)
        if length < nl.NLMSG_HDRLEN:
            break
        end = offset + nl.align4(length)
        if type not in NEIGHBOURS or not _of_packets(data[offset + nl.NLMSG_HDRLEN : end]):
            parts.append(data[offset:end])
        offset = end
    return b"".join((*parts, data[offset:]))


def _of_packets(payload: bytes) -> bool:
    if len(payload) < nb.NdMsg.SIZE:
        return False
    header = nb.NdMsg.unpack(payload)
    attributes = dict(wire.attrs(payload[nb.NdMsg.SIZE :]))
    if header.family == AF_BRIDGE:
        address = attributes.get(nb.NDA_LLADDR, b"")
        return not header.flags & nb.NTF_SELF or bool(address[0] & 1 if address else 0)
    to = attributes.get(nb.NDA_DST, b"")
    return to[:1] == b"\xff" if len(to) == 16 else to[:1] >= b"\xe0"


# -- files ---------------------------------------------------------------------------


def _interfaces(text: bytes) -> bytes:
    """Remove the counters of all devices from the text of /proc/net/dev."""
    return INTERFACES.sub(rb"\1\n", text)


def _sorted_lines(text: bytes) -> bytes:
    """Sort the lines of a file. Their order depends on a hash table with a random seed
    (`inet6_addr_hash()`).
    """
    return b"\n".join(sorted(text.splitlines()))


def _without_use(text: bytes) -> bytes:
    """Remove the reference count and the use count of each route from /proc/net/ipv6_route."""
    return re.sub(rb"(?m)^((?:\S+\s+){6})\S+\s+\S+", rb"\1", text)


FILES: Final[dict[str, Callable[[bytes], bytes]]] = {
    "/proc/net/dev": _interfaces,
    "/proc/net/if_inet6": _sorted_lines,
    "/proc/net/ipv6_route": _without_use,
}
"""Functions that make the contents of files in /proc/net comparable. They remove or sort the parts that
depend on packets or chance. The key is the path of the file.
"""
