"""Conversion of Linux 6.18 and 6.12 messages to a common form: attributes that only 6.18 has are removed.

Cases that User-mode Linux 6.12 judges compare the rest byte for byte.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from simkernel.uapi import if_link as il
from simkernel.uapi import rtnetlink as rt
from simkernel.uapi.if_bridge import Br
from simkernel.uapi.netlink import NLA_TYPE_MASK
from simkernel.uapi.socket import AF_BRIDGE, AF_INET6
from tests.conformance import wire

IFLA_INET6_CONF: Final = 2
IFLA_PAD: Final = 42
CACHE_INFO: Final[Mapping[int, tuple[int, int, slice]]] = {
    rt.RTM_NEWADDR: (rt.IfAddrMsg.SIZE, 6, slice(8, 16)),
    rt.RTM_DELADDR: (rt.IfAddrMsg.SIZE, 6, slice(8, 16)),
    rt.RTM_NEWNEIGH: (12, 3, slice(0, 12)),
    rt.RTM_DELNEIGH: (12, 3, slice(0, 12)),
}
"""Times in messages. The key is the message type. The value is the size of the header, the type of the
attribute that contains the times (IFA_CACHEINFO or NDA_CACHEINFO), and the bytes of this attribute that are
times.
"""

NOT_IN_UML: Final = (il.IFLA_NUM_RX_QUEUES, IFLA_PAD)
"""Attributes that are not compared with User-mode Linux (UML). UML lacks IFLA_NUM_RX_QUEUES because
CONFIG_RPS is off, and UML aligns 64-bit attributes differently (IFLA_PAD).
"""
SINCE_6_12: Final[Mapping[int, str]] = {
    66: "IFLA_MAX_PACING_OFFLOAD_HORIZON, 6.13",
    67: "IFLA_NETNS_IMMUTABLE, 6.15",
    68: "IFLA_HEADROOM, 6.18",
    69: "IFLA_TAILROOM, 6.18",
}
"""Attributes of a link that were added after 6.12. Each value contains the name of the attribute and the
release that added the attribute.
"""
BRIDGE_VLANS: Final = (Br.VLAN_PROTOCOL, Br.VLAN_DEFAULT_PVID, Br.VLAN_STATS_ENABLED, Br.VLAN_STATS_PER_PORT)
BRIDGE_PAD, BRPORT_PAD = 40, 26
NOT_OF_A_BRIDGE: Final[Mapping[int, Sequence[int]]] = {
    il.IFLA_INFO_DATA: (*BRIDGE_VLANS, BRIDGE_PAD, Br.MCAST_STARTUP_QUERY_INTVL, Br.MULTI_BOOLOPT),
    il.IFLA_INFO_SLAVE_DATA: (BRPORT_PAD,),
}
"""Attributes of a bridge or bridge port that differ between Linux 6.18 and User-mode Linux (UML) 6.12. The
key is the attribute that contains them.

Only UML reports VLAN attributes of bridges. UML aligns 64-bit attributes and rounds the startup query
interval to its clock ticks. 6.18 has more options in MULTI_BOOLOPT.
"""
INET6_CONF_6_12: Final = 59 * 4
"""Size of a link's IPv6 settings in bytes on 6.12. On 6.18 they are longer, because 6.17 appended
force_forwarding.
"""


def common(datagram: bytes) -> bytes:
    """Return the messages without the attributes that differ between 6.18 and 6.12, and with the times in
    IFA_CACHEINFO and NDA_CACHEINFO set to 0.
    """
    return b"".join(_message(header, payload) for header, payload in wire.messages(datagram))


def _message(header: wire.Header, payload: bytes) -> bytes:
    _, type, flags, seq, pid = header
    if type in (rt.RTM_NEWLINK, rt.RTM_DELLINK):
        size, bridge = rt.IfInfoMsg.SIZE, payload[0] == AF_BRIDGE
        payload = payload[:size] + b"".join(
            wire.attr(each, _link(each & NLA_TYPE_MASK, value, bridge))
            for each, value in wire.attrs(payload[size:])
            if each not in SINCE_6_12 and each not in NOT_IN_UML and not (bridge and each == il.IFLA_AF_SPEC)
        )
    elif type in CACHE_INFO:
        size, attribute, times = CACHE_INFO[type]
        payload = payload[:size] + b"".join(
            wire.attr(
                each,
                value[: times.start] + bytes(times.stop - times.start) + value[times.stop :]
                if each == attribute
                else value,
            )
            for each, value in wire.attrs(payload[size:])
        )
    return wire.nlmsg(type, flags, payload, seq=seq, pid=pid)


def _link(type: int, value: bytes, bridge: bool) -> bytes:
    if type == il.IFLA_PROTINFO:
        return _without(value, (BRPORT_PAD,)) if bridge else _inet6(value)
    if type == il.IFLA_LINKINFO:
        info = dict(wire.attrs(value))
        of_a_bridge = b"bridge\0" in (info.get(il.IFLA_INFO_KIND), info.get(il.IFLA_INFO_SLAVE_KIND))
        return b"".join(
            wire.attr(each, _without(inner, NOT_OF_A_BRIDGE.get(each, ())) if of_a_bridge else inner)
            for each, inner in wire.attrs(value)
        )
    if type == il.IFLA_AF_SPEC:
        return b"".join(
            wire.attr(family, _inet6(inner) if family & NLA_TYPE_MASK == AF_INET6 else inner)
            for family, inner in wire.attrs(value)
        )
    return value


def _without(value: bytes, types: Sequence[int]) -> bytes:
    """Return nested attributes without some types. Without types to remove, return the value unchanged."""
    if not types:
        return value
    return b"".join(wire.attr(type, inner) for type, inner in wire.attrs(value) if type not in types)


def _inet6(value: bytes) -> bytes:
    return b"".join(
        wire.attr(type, inner[:INET6_CONF_6_12] if type == IFLA_INET6_CONF else inner)
        for type, inner in wire.attrs(value)
    )
