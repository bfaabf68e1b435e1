"""Encoding of RTM_NEWLINK and RTM_DELLINK (`rtnl_fill_ifinfo()`, as of Linux 6.18)."""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct
from typing import Final

from simkernel.kernel.net.device import NetDevice
from simkernel.kernel.net.namespace import Net
from simkernel.kernel.netlink.route import inet
from simkernel.kernel.netlink.route.nsid import peer_id
from simkernel.uapi import if_link as il
from simkernel.uapi import rtnetlink as rt
from simkernel.uapi.netlink import NLA_F_NESTED, attribute, message
from simkernel.uapi.socket import AF_INET, AF_INET6, AF_UNSPEC
from simkernel.uapi.structure import S32, U8, U16, U32

STATS64_SIZE: Final = 200
STATS_SIZE: Final = 96
IFMAP_SIZE: Final = 32
"""Sizes of rtnl_link_stats64, rtnl_link_stats and rtnl_link_ifmap in bytes.

All their fields are 0, because simkernel models no packets.
"""
IFLA_XDP_ATTACHED: Final = 2

Row = tuple[int, Struct, Callable[[NetDevice], int]]

FIRST: Final[tuple[Row, ...]] = (
    (il.IFLA_TXQLEN, U32, lambda device: device.tx_queue_len),
    (il.IFLA_OPERSTATE, U8, lambda device: device.operstate if device.running else il.IF_OPER_DOWN),
    (il.IFLA_LINKMODE, U8, lambda device: device.link_mode),
    (il.IFLA_NETNS_IMMUTABLE, U8, lambda device: device.netns_immutable),
    (il.IFLA_MTU, U32, lambda device: device.mtu),
    (il.IFLA_MIN_MTU, U32, lambda device: device.min_mtu),
    (il.IFLA_MAX_MTU, U32, lambda device: device.max_mtu),
    (il.IFLA_GROUP, U32, lambda device: device.group),
    (il.IFLA_PROMISCUITY, U32, lambda device: device.promiscuity),
    (il.IFLA_ALLMULTI, U32, lambda device: device.allmulti),
    (il.IFLA_NUM_TX_QUEUES, U32, lambda device: device.num_tx_queues),
    (il.IFLA_GSO_MAX_SEGS, U32, lambda device: device.gso_max_segs),
    (il.IFLA_GSO_MAX_SIZE, U32, lambda device: device.gso_max_size),
    (il.IFLA_GRO_MAX_SIZE, U32, lambda device: device.gro_max_size),
    (il.IFLA_GSO_IPV4_MAX_SIZE, U32, lambda device: device.gso_ipv4_max_size),
    (il.IFLA_GRO_IPV4_MAX_SIZE, U32, lambda device: device.gro_ipv4_max_size),
    (il.IFLA_TSO_MAX_SIZE, U32, lambda device: device.tso_max_size),
    (il.IFLA_TSO_MAX_SEGS, U32, lambda device: device.tso_max_segs),
    (il.IFLA_MAX_PACING_OFFLOAD_HORIZON, U32, lambda device: 0),
    (il.IFLA_NUM_RX_QUEUES, U32, lambda device: device.num_rx_queues),
)
SECOND: Final[tuple[Row, ...]] = (
    (il.IFLA_CARRIER_CHANGES, U32, lambda device: device.carrier_up_count + device.carrier_down_count),
    (il.IFLA_CARRIER_UP_COUNT, U32, lambda device: device.carrier_up_count),
    (il.IFLA_CARRIER_DOWN_COUNT, U32, lambda device: device.carrier_down_count),
    (il.IFLA_HEADROOM, U16, lambda device: device.headroom),
    (il.IFLA_TAILROOM, U16, lambda device: 0),
    (il.IFLA_PROTO_DOWN, U8, lambda device: device.proto_down),
)
"""Numeric attributes of a device, in Linux's order. Each entry is the attribute type, the number format, and
a function that returns the value for a device.
"""


def fill(
    device: NetDevice,
    viewer: Net,
    *,
    type: int = rt.RTM_NEWLINK,
    change: int = 0,
    flags: int = 0,
    seq: int = 0,
    portid: int = 0,
    mask: int = 0,
    event: int = 0,
    new_nsid: int | None = None,
    new_index: int = 0,
    target_nsid: int = -1,
) -> bytes:
    """Return a link message about a device. The namespace ids in the message are valid in the namespace
    `viewer`.
    """
    header = rt.IfInfoMsg(AF_UNSPEC, device.type, device.index, device.shown_flags, change).pack()
    kind = device.link_ops
    slave = None if device.master is None else device.master.link_ops
    parts = [
        header,
        attribute(il.IFLA_TARGET_NETNSID, S32.pack(target_nsid)) if target_nsid >= 0 else b"",
        attribute(il.IFLA_IFNAME, device.name.encode("utf-8", "surrogateescape") + b"\0"),
        *_numbers(FIRST, device),
        b"" if device.master is None else attribute(il.IFLA_MASTER, U32.pack(device.master.index)),
        attribute(il.IFLA_CARRIER, U8.pack(device.carrier)),
        attribute(il.IFLA_IFALIAS, device.alias + b"\0") if device.alias else b"",
        *_numbers(SECOND, device),
        attribute(il.IFLA_EVENT, U32.pack(event)) if event else b"",
        attribute(il.IFLA_ADDRESS, device.address),
        attribute(il.IFLA_BROADCAST, device.broadcast),
        attribute(il.IFLA_STATS64, bytes(STATS64_SIZE)),
        attribute(il.IFLA_STATS, bytes(STATS_SIZE)),
        attribute(il.IFLA_XDP, attribute(IFLA_XDP_ATTACHED, bytes(1))),
    ]
    info = b""
    if kind is not None:
        info += attribute(il.IFLA_INFO_KIND, kind.kind.encode() + b"\0")
        info += b"" if kind.fill_info is None else attribute(il.IFLA_INFO_DATA, kind.fill_info(device))
    if slave is not None and device.master is not None and slave.fill_slave_info is not None:
        info += attribute(il.IFLA_INFO_SLAVE_KIND, slave.kind.encode() + b"\0")
        info += attribute(il.IFLA_INFO_SLAVE_DATA, slave.fill_slave_info(device.master, device))
    if info:
        parts.append(attribute(il.IFLA_LINKINFO, info))
    if new_nsid is not None:
        parts.append(attribute(il.IFLA_NEW_NETNSID, S32.pack(new_nsid)))
    if new_index:
        parts.append(attribute(il.IFLA_NEW_IFINDEX, S32.pack(new_index)))
    if any(device.perm_address):
        parts.append(attribute(il.IFLA_PERM_ADDRESS, device.perm_address))
    parts += [
        fill_link_netnsid(device, viewer),
        attribute(il.IFLA_QDISC, device.qdisc.encode() + b"\0"),
        attribute(il.IFLA_AF_SPEC, _families(device, mask)),
        attribute(il.IFLA_MAP, bytes(IFMAP_SIZE)),
    ]
    if device.altnames:
        names = (attribute(il.IFLA_ALT_IFNAME, _text(name)) for name in device.altnames)
        parts.append(attribute(il.IFLA_PROP_LIST | NLA_F_NESTED, b"".join(names)))
    parts += [
        attribute(il.IFLA_DEVLINK_PORT | NLA_F_NESTED),
        attribute(il.IFLA_DPLL_PIN | NLA_F_NESTED),
    ]
    return message(type, b"".join(parts), flags=flags, seq=seq, pid=portid)


def fill_ipv6(
    device: NetDevice, *, type: int = rt.RTM_NEWLINK, flags: int = 0, seq: int = 0, portid: int = 0
) -> bytes:
    """Return the link message with a device's IPv6 data (`inet6_fill_ifinfo()`)."""
    header = rt.IfInfoMsg(AF_INET6, device.type, device.index, device.shown_flags, 0).pack()
    iflink = device.iflink
    body = b"".join(
        (
            header,
            attribute(il.IFLA_IFNAME, _text(device.name)),
            attribute(il.IFLA_ADDRESS, device.address),
            attribute(il.IFLA_MTU, U32.pack(device.mtu)),
            attribute(il.IFLA_LINK, U32.pack(iflink)) if iflink != device.index else b"",
            attribute(il.IFLA_OPERSTATE, U8.pack(device.operstate if device.running else il.IF_OPER_DOWN)),
            attribute(il.IFLA_PROTINFO, inet.fill_ipv6(device, stats=True)),
        )
    )
    return message(type, body, flags=flags, seq=seq, pid=portid)


def _text(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape") + b"\0"


def _numbers(rows: tuple[Row, ...], device: NetDevice) -> list[bytes]:
    return [attribute(type, layout.pack(value(device))) for type, layout, value in rows]


def fill_link_netnsid(device: NetDevice, viewer: Net) -> bytes:
    """Return IFLA_LINK, and IFLA_LINK_NETNSID if the peer is in another namespace
    (`rtnl_fill_link_netnsid()`).
    """
    kind, iflink = device.link_ops, device.iflink
    peer_net = None if kind is None or kind.link_net is None else kind.link_net(device)
    link = attribute(il.IFLA_LINK, U32.pack(iflink))
    if peer_net is not None and peer_net is not device.net:
        return attribute(il.IFLA_LINK_NETNSID, S32.pack(peer_id(viewer, peer_net))) + link
    return link if iflink != device.index else b""


def _families(device: NetDevice, mask: int) -> bytes:
    """Return the content of IFLA_AF_SPEC: the attributes for IPv4 and for IPv6 (`rtnl_fill_link_af()`)."""
    ipv4 = inet.fill_ipv4(device)
    ipv6 = inet.fill_ipv6(device, stats=not mask & rt.RTEXT_FILTER_SKIP_STATS)
    return (attribute(AF_INET, ipv4) if ipv4 else b"") + (attribute(AF_INET6, ipv6) if ipv6 else b"")
