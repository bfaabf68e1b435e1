"""What RTM_NEWLINK says of `lo`, which is down and as it was made.

Read off Linux 6.18; loopback_setup(), devinet_init() and addrconf_init() set what is not 0 here.
"""

from __future__ import annotations

import struct
from typing import Final

from simkernel.kernel.net.namespace import NetDevice
from simkernel.uapi import if_link as il
from simkernel.uapi.netlink import NLA_F_NESTED, attribute
from simkernel.uapi.socket import AF_INET, AF_INET6
from simkernel.uapi.structure import U8, U16, U32

IF_OPER_DOWN: Final = 2
MAX_GSO_SEGS: Final = 65535
MAX_GSO_SIZE: Final = 65536
TSO_MAX_SIZE: Final = 524_280

STATS64_SIZE: Final = 200
STATS_SIZE: Final = 96
IFMAP_SIZE: Final = 32
"""struct rtnl_link_stats64, rtnl_link_stats and rtnl_link_ifmap: nothing was ever sent."""

IFLA_XDP_ATTACHED: Final = 2
IFLA_INET_CONF: Final = 1
IFLA_INET6_FLAGS: Final = 1
IFLA_INET6_CONF: Final = 2
IFLA_INET6_STATS: Final = 3
IFLA_INET6_CACHEINFO: Final = 5
IFLA_INET6_ICMP6STATS: Final = 6
IFLA_INET6_TOKEN: Final = 7
IFLA_INET6_ADDR_GEN_MODE: Final = 8

IPV4_CONF_LENGTH: Final = 33
IPV4_CONF: Final = {3: 1, 4: 1, 5: 1, 6: 1, 8: 1, 14: 1, 15: 1, 26: 10000, 27: 1000, 32: 1}
IPV6_CONF_LENGTH: Final = 60
IPV6_CONF: Final = {
    1: 64,
    2: 65536,
    3: 1,
    4: 1,
    5: 1,
    6: 1,
    7: -1,
    8: 4000,
    9: 1000,
    10: -1,
    11: 604800,
    12: 86400,
    13: 3,
    14: 600,
    15: 16,
    17: 1,
    18: 1,
    19: 1,
    20: 60000,
    27: -1,
    30: 10000,
    31: 1000,
    32: 1,
    35: 1,
    38: 1,
    43: 3600000,
    46: 1,
    52: 1024,
    54: 65535,
    55: -1,
    56: 1,
}
"""The settings of /proc/sys/net/ipv4/conf/lo and ipv6/conf/lo that are not 0, by their place."""

INET6_STATS_LENGTH: Final = 38
ICMP6_STATS_LENGTH: Final = 7
IP6_MAX_MTU: Final = 65535
REACHABLE_MS: Final = 30_000
RETRANS_MS: Final = 1000


def describe(device: NetDevice, *, stats: bool) -> bytes:
    """The attributes, in the kernel's order (`rtnl_fill_ifinfo()`).

    Without `stats` those of IPv6 are left out (RTEXT_FILTER_SKIP_STATS).
    """
    numbers = (
        (il.IFLA_TXQLEN, U32, device.tx_queue_len),
        (il.IFLA_OPERSTATE, U8, IF_OPER_DOWN),
        (il.IFLA_LINKMODE, U8, 0),
        (il.IFLA_NETNS_IMMUTABLE, U8, 1),
        (il.IFLA_MTU, U32, device.mtu),
        (il.IFLA_MIN_MTU, U32, 0),
        (il.IFLA_MAX_MTU, U32, 0),
        (il.IFLA_GROUP, U32, 0),
        (il.IFLA_PROMISCUITY, U32, 0),
        (il.IFLA_ALLMULTI, U32, 0),
        (il.IFLA_NUM_TX_QUEUES, U32, 1),
        (il.IFLA_GSO_MAX_SEGS, U32, MAX_GSO_SEGS),
        (il.IFLA_GSO_MAX_SIZE, U32, MAX_GSO_SIZE),
        (il.IFLA_GRO_MAX_SIZE, U32, MAX_GSO_SIZE),
        (il.IFLA_GSO_IPV4_MAX_SIZE, U32, MAX_GSO_SIZE),
        (il.IFLA_GRO_IPV4_MAX_SIZE, U32, MAX_GSO_SIZE),
        (il.IFLA_TSO_MAX_SIZE, U32, TSO_MAX_SIZE),
        (il.IFLA_TSO_MAX_SEGS, U32, MAX_GSO_SEGS),
        (il.IFLA_MAX_PACING_OFFLOAD_HORIZON, U32, 0),
        (il.IFLA_NUM_RX_QUEUES, U32, 1),
        (il.IFLA_CARRIER, U8, 1),
        (il.IFLA_CARRIER_CHANGES, U32, 0),
        (il.IFLA_CARRIER_UP_COUNT, U32, 0),
        (il.IFLA_CARRIER_DOWN_COUNT, U32, 0),
        (il.IFLA_HEADROOM, U16, 0),
        (il.IFLA_TAILROOM, U16, 0),
        (il.IFLA_PROTO_DOWN, U8, 0),
    )
    return b"".join(
        (
            attribute(il.IFLA_IFNAME, device.name.encode() + b"\0"),
            *(attribute(type, layout.pack(value)) for type, layout, value in numbers),
            attribute(il.IFLA_ADDRESS, device.address),
            attribute(il.IFLA_BROADCAST, bytes(6)),
            attribute(il.IFLA_STATS64, bytes(STATS64_SIZE)),
            attribute(il.IFLA_STATS, bytes(STATS_SIZE)),
            attribute(il.IFLA_XDP, attribute(IFLA_XDP_ATTACHED, bytes(1))),
            attribute(il.IFLA_QDISC, b"noop\0"),
            attribute(il.IFLA_AF_SPEC, _ipv4() + attribute(AF_INET6, _ipv6(stats=stats))),
            attribute(il.IFLA_MAP, bytes(IFMAP_SIZE)),
            attribute(il.IFLA_DEVLINK_PORT | NLA_F_NESTED),
            attribute(il.IFLA_DPLL_PIN | NLA_F_NESTED),
        )
    )


def describe_ipv6(device: NetDevice) -> bytes:
    """The attributes as IPv6 tells them (`inet6_fill_ifinfo()`)."""
    return b"".join(
        (
            attribute(il.IFLA_IFNAME, device.name.encode() + b"\0"),
            attribute(il.IFLA_ADDRESS, device.address),
            attribute(il.IFLA_MTU, U32.pack(device.mtu)),
            attribute(il.IFLA_OPERSTATE, U8.pack(IF_OPER_DOWN)),
            attribute(il.IFLA_PROTINFO, _ipv6(stats=True)),
        )
    )


def _ipv4() -> bytes:
    """`inet_fill_link_af()`"""
    settings = [IPV4_CONF.get(place, 0) for place in range(IPV4_CONF_LENGTH)]
    return attribute(AF_INET, attribute(IFLA_INET_CONF, struct.pack(f"<{IPV4_CONF_LENGTH}i", *settings)))


def _ipv6(*, stats: bool) -> bytes:
    """`inet6_fill_link_af()`.

    Settings last changed at boot; how long a neighbour counts as reachable is the mean of what Linux draws.
    """
    settings = [IPV6_CONF.get(place, 0) for place in range(IPV6_CONF_LENGTH)]
    cache = struct.pack("<4I", IP6_MAX_MTU, 0, REACHABLE_MS, RETRANS_MS)
    parts = [
        attribute(IFLA_INET6_FLAGS, U32.pack(0)),
        attribute(IFLA_INET6_CACHEINFO, cache),
        attribute(IFLA_INET6_CONF, struct.pack(f"<{IPV6_CONF_LENGTH}i", *settings)),
    ]
    if stats:
        parts += [
            attribute(IFLA_INET6_STATS, _counters(INET6_STATS_LENGTH)),
            attribute(IFLA_INET6_ICMP6STATS, _counters(ICMP6_STATS_LENGTH)),
        ]
    parts += [attribute(IFLA_INET6_TOKEN, bytes(16)), attribute(IFLA_INET6_ADDR_GEN_MODE, bytes(1))]
    return b"".join(parts)


def _counters(count: int) -> bytes:
    """An array of counters, whose first entry is its length (__snmp6_fill_stats64())."""
    return struct.pack(f"<{count}Q", count, *[0] * (count - 1))
