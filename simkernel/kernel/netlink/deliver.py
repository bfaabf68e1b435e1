"""Delivery to one socket: lookup by port id, filter, receive queue and overrun."""

from __future__ import annotations

from collections import deque

from simkernel.kernel.lib.layers import KERNEL
from simkernel.kernel.netlink import tap
from simkernel.kernel.netlink.skb import Skb
from simkernel.kernel.netlink.sock import NO_ENOBUFS, NetlinkSock, PortTable
from simkernel.uapi.errno import EAGAIN, ECONNREFUSED, ENOBUFS, os_error


def find(source: NetlinkSock, portid: int) -> NetlinkSock:
    """Return the socket that is bound to `portid` (`netlink_getsockbyportid()`).

    Raise ECONNREFUSED if no socket is, or if that socket is connected to another port id than the
    source's.
    """
    target = source.ports.get(portid)
    if target is None or (target.connected and target.destination != source.portid):
        raise os_error(ECONNREFUSED)
    return target


def accept(target: NetlinkSock, skb: Skb) -> Skb | None:
    """Run the receiver's filter (`sk_filter()`). Return the buffer or a trimmed copy of it. Return None if
    the filter drops the message.
    """
    if target.filter is None:
        return skb
    length = target.filter.run(skb.data)
    return skb.shortened(length) if length else None


def queue(target: NetlinkSock, skb: Skb, unicast: bool = True, force: bool = False) -> bool:
    """Queue a buffer and wake a reader (`netlink_attachskb()`). Return False if the queue is full.

    An empty queue accepts a buffer of any size, and `force` skips the check. `unicast` is True if the
    message was sent to this socket's port id, False if it was sent to a group.
    """
    netlink = target.netlink
    filled = target.rmem + skb.truesize
    if not force and (target.congested or (filled > target.rcvbuf and target.rmem)):
        if netlink.trace.emit is not None:
            tap.full(netlink.trace, target, skb)
        return False
    if unicast and netlink.trace.emit is not None:
        tap.unicast(netlink.trace, target.protocol, skb, portid=target.portid)
    netlink.engine.charged += netlink.costs.deliver
    netlink.statistics.delivered += 1
    if netlink.trace.emit is not None:
        tap.deliver(netlink.trace, target.protocol, skb, portid=target.portid)
    target.rmem = filled
    if target.queue is None:
        target.queue = deque()
    target.queue.append(skb)
    if target._readers is not None:
        target._readers.wake_up()
    return True


def unicast(ports: PortTable, skb: Skb, portid: int) -> None:
    """Send a buffer from the kernel to a port id, without blocking (`netlink_unicast()` with MSG_DONTWAIT).

    Raise the errors that `KernelSocket.send()` lists.
    """
    target = ports.get(portid)
    if target is None or target.destination:
        raise os_error(ECONNREFUSED)
    if target.filter is not None:
        accepted = accept(target, skb)
        if accepted is None:
            return
        skb = accepted
    if (target.lossy and target.loses(0)) or not queue(target, skb):
        overrun(target)
        raise os_error(EAGAIN)


def overrun(target: NetlinkSock) -> None:
    """Record that `target` lost a message (`netlink_overrun()`).

    The first lost message sets the socket's error ENOBUFS. Later ones do not, until the congestion ends.
    """
    if not target.flags & NO_ENOBUFS and not target.congested:
        target.congested = True
        target.report_error(ENOBUFS)
    target.drops += 1
    netlink = target.netlink
    netlink.statistics.overruns += 1
    if (emit := netlink.trace.emit) is not None:
        emit("netlink_overrun", KERNEL, "netlink", protocol=target.protocol, portid=target.portid)
