"""What an nlmon device would see: every datagram that reaches somebody (`netlink_deliver_tap()`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from simkernel.kernel.lib.layers import KERNEL
from simkernel.uapi import netlink as nl

if TYPE_CHECKING:
    from simkernel.engine import Tracer
    from simkernel.kernel.netlink.skb import Skb
    from simkernel.kernel.netlink.sock import Inbound

TAPPED: Final = frozenset(
    {
        nl.NETLINK_ROUTE,
        nl.NETLINK_USERSOCK,
        nl.NETLINK_SOCK_DIAG,
        nl.NETLINK_NFLOG,
        nl.NETLINK_XFRM,
        nl.NETLINK_FIB_LOOKUP,
        nl.NETLINK_NETFILTER,
        nl.NETLINK_GENERIC,
    }
)
"""Protocols that may be tapped (`netlink_filter_tap()`)."""


def deliver(trace: Tracer, protocol: int, skb: Skb, *, portid: int) -> None:
    """Show a datagram that is about to be queued for `portid`."""
    _show(trace, protocol, skb.data, skb.address[0], portid, skb.dst_group, skb.flow, kernel=False)


def to_kernel(trace: Tracer, protocol: int, inbound: Inbound, group: int) -> None:
    """Show a datagram that the kernel is about to read."""
    _show(trace, protocol, inbound.data, inbound.portid, 0, group, trace.flow, kernel=True)


def _show(
    trace: Tracer,
    protocol: int,
    data: bytes,
    portid: int,
    dst_portid: int,
    dst_group: int,
    flow: int,
    *,
    kernel: bool,
) -> None:
    if (emit := trace.emit) is not None and protocol in TAPPED:
        emit(
            "netlink_deliver_tap",
            KERNEL,
            "netlink",
            protocol=protocol,
            data=data,
            outgoing=kernel,
            kernel=kernel,
            portid=portid,
            dst_portid=dst_portid,
            dst_group=dst_group,
            flow=flow,
        )


def unicast(trace: Tracer, protocol: int, skb: Skb, *, portid: int) -> None:
    """Show a datagram that is about to be queued for `portid` because it was sent there."""
    if (emit := trace.emit) is not None:
        length = len(skb.data)
        emit(
            "netlink_unicast",
            KERNEL,
            "netlink",
            protocol=protocol,
            portid=portid,
            length=length,
            flow=skb.flow,
        )
