"""What an nlmon device would see: every datagram that reaches somebody (`netlink_deliver_tap()`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from simkernel.engine import KERNEL
from simkernel.uapi import netlink as nl

if TYPE_CHECKING:
    from simkernel.engine import Tracer
    from simkernel.kernel.net.skb import Skb

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


def deliver(trace: Tracer, protocol: int, skb: Skb, *, portid: int, kernel: bool) -> None:
    """Show a datagram that is about to be queued for `portid`, or read by the kernel."""
    if (emit := trace.emit) is not None and protocol in TAPPED:
        emit(
            "netlink_deliver_tap",
            KERNEL,
            "netlink",
            protocol=protocol,
            data=skb.data,
            outgoing=kernel,
            kernel=kernel,
            portid=skb.portid,
            dst_portid=portid,
            dst_group=skb.dst_group,
            flow=skb.flow,
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
