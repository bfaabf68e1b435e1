"""IPv4 and IPv6 data of each device, and its attributes in RTM_NEWLINK (IFLA_AF_SPEC).

The non-zero settings, which devinet_init() and addrconf_init() set, were recorded on Linux 6.18.
"""

from __future__ import annotations

import struct
from typing import Final

import attrs

from simkernel.kernel.net.device import DeviceSlot, NetDevice
from simkernel.kernel.workqueue import Work
from simkernel.uapi import if_addr as ia
from simkernel.uapi.if_link import IFF_LOOPBACK, IFF_NOARP
from simkernel.uapi.netlink import attribute
from simkernel.uapi.structure import U8, U32

IFLA_INET_CONF: Final = 1
IFLA_INET6_FLAGS: Final = 1
IFLA_INET6_CONF: Final = 2
IFLA_INET6_STATS: Final = 3
IFLA_INET6_CACHEINFO: Final = 5
IFLA_INET6_ICMP6STATS: Final = 6
IFLA_INET6_TOKEN: Final = 7
IFLA_INET6_ADDR_GEN_MODE: Final = 8

CENTISECOND: Final = 10_000_000

IPV4_CONF_LENGTH: Final = 33
IPV4_CONF: Final = {3: 1, 4: 1, 5: 1, 6: 1, 8: 1, 26: 10000, 27: 1000, 32: 1}
DISABLE_XFRM, DISABLE_POLICY, PROMOTE_SECONDARIES = 14, 15, 19
IPV6_CONF_LENGTH: Final = 60
IPV6_MIN_MTU: Final = 1280
MTU6, USE_TEMPADDR, ACCEPT_DAD, ADDR_GEN_MODE = 2, 10, 27, 47
_ONES: Final = (3, 4, 5, 6, 17, 18, 19, ACCEPT_DAD, 32, 35, 38, 46, 56)
_MORE: Final = {1: 64, 7: -1, 8: 4000, 9: 1000, 11: 604800, 12: 86400, 13: 3, 14: 600, 15: 16, 20: 60000}
IPV6_CONF: Final = (
    dict.fromkeys(_ONES, 1) | _MORE | {30: 10000, 31: 1000, 43: 3600000, 52: 1024, 54: 65535, 55: -1}
)
"""Default values of the settings in /proc/sys/net/ipv4/conf and ipv6/conf, by index of the setting. The
default of settings that are not listed is 0.
"""

INET6_STATS_LENGTH: Final = 38
ICMP6_STATS_LENGTH: Final = 7
IP6_MAX_MTU: Final = 65535
REACHABLE_MS: Final = 30_000
RETRANS_MS: Final = 1000

EUI64, NONE, STABLE_PRIVACY, RANDOM = range(4)
"""Modes in which the kernel generates link-local addresses (IN6_ADDR_GEN_MODE_*)."""
IF_RS_SENT: Final = 0x10
IF_READY: Final = 0x8000_0000
"""Bits of IFLA_INET6_FLAGS: a router solicitation was sent, and the device can transmit packets."""


@attrs.define(eq=False, kw_only=True)
class Address:
    """An address of a device. Lifetimes are in seconds. `created` and `updated` are simulated times in ns."""

    device: NetDevice
    prefixlen: int
    scope: int = 0
    flags: int = 0
    proto: int = 0
    priority: int = 0
    preferred: int = ia.INFINITY_LIFE_TIME
    valid: int = ia.INFINITY_LIFE_TIME
    created: int = 0
    updated: int = 0
    expiry: Work | None = None
    """Work item that runs when the preferred or the valid lifetime of the address ends."""


@attrs.define(eq=False, kw_only=True)
class Address4(Address):
    """An IPv4 address (`struct in_ifaddr`). On a point-to-point link, `address` is the peer's address."""

    local: int
    address: int
    broadcast: int = 0
    label: bytes = b""

    @property
    def mask(self) -> int:
        """The netmask as a number."""
        return (-1 << (32 - self.prefixlen)) & 0xFFFF_FFFF

    @property
    def is_secondary(self) -> bool:
        """True if the device already has a primary address in the subnet of this address."""
        return bool(self.flags & ia.IFA_F_SECONDARY)

    def has_subnet_of(self, other: Address4) -> bool:
        """Return True if this address and the address `other` have the same subnet and prefix length."""
        return self.prefixlen == other.prefixlen and self.contains(other.address)

    def contains(self, address: int) -> bool:
        """Return True if the number `address` is in the subnet of this address (`inet_ifa_match()`)."""
        return not (address ^ self.address) & self.mask


@attrs.define(eq=False)
class InDevice:
    """IPv4 data of a device (`struct in_device`).

    `conf` holds the settings that differ from IPV4_CONF. `joined` holds the multicast groups that
    addresses with IFA_F_MCAUTOJOIN have joined. If `dead` is True, IPv4 is disabled on the device.
    """

    conf: dict[int, int]
    addresses: list[Address4] = attrs.field(factory=list)
    joined: set[int | bytes] = attrs.field(factory=set)
    dead: bool = False


@attrs.define(eq=False, kw_only=True)
class Address6(Address):
    """An IPv6 address (`struct inet6_ifaddr`). On a point-to-point link, `peer` is the peer's address."""

    address: bytes
    peer: bytes = bytes(16)
    state: int = 0
    probes: int = 0
    dad: Work | None = None
    """Work item of duplicate address detection."""


@attrs.define(eq=False)
class Inet6Device:
    """IPv6 data of a device (`struct inet6_dev`). It has the fields of `InDevice` and further IPv6 fields.

    `updated` is a machine time in ns. `interface_id` is the random half of a link-local address, set on
    first use.
    """

    conf: dict[int, int]
    dead: bool
    addresses: list[Address6] = attrs.field(factory=list)
    joined: set[int | bytes] = attrs.field(factory=set)
    flags: int = 0
    updated: int = 0
    token: bytes = bytes(16)
    interface_id: bytes = b""


def _make4(device: NetDevice) -> InDevice:
    return InDevice(dict.fromkeys((DISABLE_XFRM, DISABLE_POLICY), 1) if device.is_loopback else {})


def _make6(device: NetDevice) -> Inet6Device:
    """Create the IPv6 data of a device (`ipv6_add_dev()`)."""
    conf = {MTU6: device.mtu}
    if device.flags & (IFF_LOOPBACK | IFF_NOARP):
        conf[ACCEPT_DAD] = -1
    if device.is_loopback:
        conf[USE_TEMPADDR] = -1
    return Inet6Device(conf, device.mtu < IPV6_MIN_MTU)


IN_DEVICE: Final = DeviceSlot(_make4)
INET6_DEVICE: Final = DeviceSlot(_make6)


def in_device(device: NetDevice) -> InDevice | None:
    """Return the IPv4 data of a device, or None if IPv4 is disabled on it (`__in_dev_get_rtnl()`)."""
    found = IN_DEVICE.of(device)
    return None if found.dead else found


def inet6_device(device: NetDevice) -> Inet6Device | None:
    """Return the IPv6 data of a device, or None if IPv6 is disabled on it (`__in6_dev_get()`)."""
    found = INET6_DEVICE.of(device)
    return None if found.dead else found


def fill_ipv4(device: NetDevice) -> bytes:
    """Return a device's IPv4 attributes, or no bytes if IPv4 is disabled (`inet_fill_link_af()`)."""
    data = in_device(device)
    return (
        b"" if data is None else attribute(IFLA_INET_CONF, _settings(IPV4_CONF_LENGTH, IPV4_CONF | data.conf))
    )


def fill_ipv6(device: NetDevice, *, stats: bool) -> bytes:
    """Return a device's IPv6 attributes, or no bytes if IPv6 is disabled (`inet6_fill_link_af()`).

    Linux randomizes the reachable time. REACHABLE_MS is its mean.
    """
    data = inet6_device(device)
    if data is None:
        return b""
    cache = struct.pack("<4I", IP6_MAX_MTU, data.updated // CENTISECOND, REACHABLE_MS, RETRANS_MS)
    parts = [
        attribute(IFLA_INET6_FLAGS, U32.pack(data.flags)),
        attribute(IFLA_INET6_CACHEINFO, cache),
        attribute(IFLA_INET6_CONF, _settings(IPV6_CONF_LENGTH, IPV6_CONF | data.conf)),
    ]
    if stats:
        parts += [
            attribute(IFLA_INET6_STATS, _counters(INET6_STATS_LENGTH)),
            attribute(IFLA_INET6_ICMP6STATS, _counters(ICMP6_STATS_LENGTH)),
        ]
    parts += [
        attribute(IFLA_INET6_TOKEN, data.token),
        attribute(IFLA_INET6_ADDR_GEN_MODE, U8.pack(data.conf.get(ADDR_GEN_MODE, 0))),
    ]
    return b"".join(parts)


def _settings(length: int, conf: dict[int, int]) -> bytes:
    return struct.pack(f"<{length}i", *(conf.get(place, 0) for place in range(length)))


def _counters(count: int) -> bytes:
    """Return an array of `count` 64-bit values: `count` itself, followed by counters with value 0
    (`__snmp6_fill_stats64()`).
    """
    return struct.pack(f"<{count}Q", count, *[0] * (count - 1))
