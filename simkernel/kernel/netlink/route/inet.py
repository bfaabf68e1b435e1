"""The settings of IPv4 and IPv6 that RTM_NEWLINK shows of a device (IFLA_AF_SPEC).

Read off Linux 6.18; devinet_init() and addrconf_init() set the values that are not 0 here.
"""

from __future__ import annotations

import struct
from typing import Final

from simkernel.kernel.net.device import NetDevice
from simkernel.uapi.netlink import attribute
from simkernel.uapi.structure import U32

IFLA_INET_CONF: Final = 1
IFLA_INET6_FLAGS: Final = 1
IFLA_INET6_CONF: Final = 2
IFLA_INET6_STATS: Final = 3
IFLA_INET6_CACHEINFO: Final = 5
IFLA_INET6_ICMP6STATS: Final = 6
IFLA_INET6_TOKEN: Final = 7
IFLA_INET6_ADDR_GEN_MODE: Final = 8

IPV4_CONF_LENGTH: Final = 33
IPV4_CONF: Final = {3: 1, 4: 1, 5: 1, 6: 1, 8: 1, 26: 10000, 27: 1000, 32: 1}
IPV4_CONF_LO: Final = {14: 1, 15: 1}
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
    11: 604800,
    12: 86400,
    13: 3,
    14: 600,
    15: 16,
    17: 1,
    18: 1,
    19: 1,
    20: 60000,
    27: 1,
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
IPV6_CONF_LO: Final = {10: -1, 27: -1}
"""The settings of /proc/sys/net/ipv4/conf/lo and ipv6/conf/lo that are not 0, by their place."""

INET6_STATS_LENGTH: Final = 38
ICMP6_STATS_LENGTH: Final = 7
IP6_MAX_MTU: Final = 65535
REACHABLE_MS: Final = 30_000
RETRANS_MS: Final = 1000


def fill_ipv4(device: NetDevice) -> bytes:
    """`inet_fill_link_af()`"""
    values = IPV4_CONF | (IPV4_CONF_LO if device.is_loopback else {})
    settings = [values.get(place, 0) for place in range(IPV4_CONF_LENGTH)]
    return attribute(IFLA_INET_CONF, struct.pack(f"<{IPV4_CONF_LENGTH}i", *settings))


def has_ipv6(device: NetDevice) -> bool:
    """Return True if IPv6 serves the device."""
    return True


def ipv6_mtu(device: NetDevice) -> int:
    """The longest packet of IPv6, in bytes."""
    return device.mtu


def fill_ipv6(device: NetDevice, *, stats: bool) -> bytes:
    """`inet6_fill_link_af()`.

    Settings last changed at boot; how long a neighbour counts as reachable is the mean of what Linux draws.
    """
    values = IPV6_CONF | {2: device.mtu} | (IPV6_CONF_LO if device.is_loopback else {})
    settings = [values.get(place, 0) for place in range(IPV6_CONF_LENGTH)]
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
