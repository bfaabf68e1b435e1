"""Tracepoints of message delivery, which show datagrams as an nlmon device does (`netlink_deliver_tap()`)."""

from __future__ import annotations

from typing import Final

from simkernel.engine import Tracer
from simkernel.kernel.lib.layers import KERNEL
from simkernel.kernel.netlink.skb import Skb
from simkernel.kernel.netlink.sock import Inbound, NetlinkSock
from simkernel.uapi import netlink as nl

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
"""Protocols whose datagrams an nlmon device captures (`netlink_filter_tap()`)."""


def deliver(trace: Tracer, protocol: int, skb: Skb, *, portid: int) -> None:
    """Emit `netlink_deliver_tap` for a datagram that is about to be queued for `portid`."""
    if (emit := trace.emit) is not None and protocol in TAPPED:
        emit(
            "netlink_deliver_tap", KERNEL, "netlink",
            protocol=protocol, data=skb.data, outgoing=False, kernel=False, portid=skb.address[0],
            dst_portid=portid, dst_group=skb.dst_group, flow=skb.flow,
        )  # fmt: skip


def to_kernel(trace: Tracer, protocol: int, inbound: Inbound, group: int) -> None:
    """Emit `netlink_deliver_tap` for a datagram that the kernel is about to read."""
    if (emit := trace.emit) is not None and protocol in TAPPED:
        emit(
            "netlink_deliver_tap", KERNEL, "netlink",
            protocol=protocol, data=inbound.data, outgoing=True, kernel=True, portid=inbound.portid,
            dst_portid=0, dst_group=group, flow=trace.flow,
        )  # fmt: skip


def unicast(trace: Tracer, protocol: int, skb: Skb, *, portid: int) -> None:
    """Emit `netlink_unicast` for a datagram that was sent to `portid` and is about to be queued there."""
    if (emit := trace.emit) is not None:
        emit(
            "netlink_unicast", KERNEL, "netlink",
            protocol=protocol, portid=portid, length=len(skb.data), flow=skb.flow,
        )  # fmt: skip


def full(trace: Tracer, target: NetlinkSock, skb: Skb) -> None:
    """Emit `sock_rcvqueue_full` if the receive queue of `target` has no space (include/trace/events/sock.h).

    Linux emits it in `__sock_queue_rcv_skb()`, but netlink has its own check, without a tracepoint. Here
    that check emits it, and adds the socket's protocol and port id.
    """
    if (emit := trace.emit) is not None:
        emit(
            "sock_rcvqueue_full", KERNEL, "netlink",
            protocol=target.protocol, portid=target.portid, rmem_alloc=target.rmem, truesize=skb.truesize,
            sk_rcvbuf=target.rcvbuf, flow=skb.flow,
        )  # fmt: skip
