"""Selection of the source address of a packet (`inet_select_addr()`, `ipv6_dev_get_saddr()`)."""

from __future__ import annotations

from typing import Final

from simkernel.kernel.net.device import NetDevice
from simkernel.kernel.net.namespace import Net
from simkernel.kernel.netlink.route.address6 import classify
from simkernel.kernel.netlink.route.fib6_requests import addresses_of
from simkernel.kernel.netlink.route.inet import Address6, in_device
from simkernel.uapi import if_addr as ia
from simkernel.uapi import rtnetlink as rt

LABELS: Final = (
    (0x1, 128, 0),
    (0xFFFF_0000_0000, 96, 4),
    (0, 96, 3),
    (0x2001_0010 << 96, 28, 7),
    (0x2001_0000 << 96, 32, 6),
    (0x2002 << 112, 16, 2),
    (0x3FFE << 112, 16, 12),
    (0xFEC0 << 112, 10, 11),
    (0xFC << 120, 7, 5),
    (0, 0, 1),
)
"""Address labels for the selection of an IPv6 source address. Each entry is a prefix, the prefix length and a
label. The longest prefix comes first (`ip6addrlbl_init_table`).
"""


def select_source4(net: Net, device: NetDevice, dst: int, scope: int) -> int:
    """Return the IPv4 source address for a destination over a device, or 0 (`inet_select_addr()`)."""
    data = in_device(device)
    usable = [
        each
        for each in (() if data is None else data.addresses)
        if not each.is_secondary and min(each.scope, rt.RT_SCOPE_HOST) <= scope
    ]
    for each in usable:
        if not dst or each.contains(dst):
            return each.local
    if usable:
        return usable[0].local
    for other in net.devices.values():
        found = in_device(other)
        for each in () if found is None else found.addresses:
            if not each.is_secondary and each.scope != rt.RT_SCOPE_LINK and each.scope <= scope:
                return each.local
    return 0


def select_source6(net: Net, device: NetDevice, dst: int) -> bytes:
    """Return the IPv6 source address for a destination over a device, or no bytes (RFC 6724)."""
    packed = dst.to_bytes(16)
    scope = classify(packed)[0] if dst else 0
    near = packed[0] == 0xFF or scope <= 2
    unusable = ia.IFA_F_TENTATIVE | ia.IFA_F_DADFAILED
    candidates = [
        each
        for each in addresses_of(net)
        if not each.flags & unusable and (each.device is device or not near) and each.address[0] != 0xFF
    ]
    best = max(candidates, key=lambda each: _rank(each, device, dst, scope), default=None)
    return b"" if best is None else best.address


def _rank(address: Address6, device: NetDevice, dst: int, scope: int) -> tuple[int, ...]:
    """Return the sort key of a source address by the rules of RFC 6724 (`ipv6_get_saddr_eval()`)."""
    value = int.from_bytes(address.address)
    own, _ = classify(address.address)
    common = 128 - (value ^ dst).bit_length()
    return (
        value == dst,
        -own if own >= scope else own - 128,
        not address.flags & ia.IFA_F_DEPRECATED,
        address.device is device,
        _label(value) == _label(dst),
        _is_orchid(value) == _is_orchid(dst),
        min(common, address.prefixlen),
    )


def _label(value: int) -> int:
    return next(label for prefix, length, label in LABELS if not (value ^ prefix) >> (128 - length))


def _is_orchid(value: int) -> bool:
    """Return True if an IPv6 address is in 2001:10::/28 (ORCHID, RFC 4843, `ipv6_addr_orchid()`)."""
    return value >> 100 == 0x2001_001
