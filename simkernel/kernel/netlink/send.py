"""Sending: from programs (sendmsg(2)) and to port ids (`netlink_sendmsg()`, `netlink_unicast()`)."""

from __future__ import annotations

from collections.abc import Awaitable, Iterable
from functools import partial
from typing import TYPE_CHECKING

from simkernel.kernel.net import scm
from simkernel.kernel.net.scm import ControlMessage
from simkernel.kernel.net.skb import Inbound, Skb, make_skb, own_creds
from simkernel.kernel.net.truesize import user_truesize
from simkernel.kernel.netlink import address as addresses
from simkernel.kernel.netlink import broadcast, tap
from simkernel.kernel.netlink.address import Address
from simkernel.kernel.netlink.deliver import accept, find, queue
from simkernel.kernel.netlink.table import NONROOT_SEND
from simkernel.kernel.sched.wait import WouldBlock
from simkernel.uapi.errno import (
    ECONNREFUSED,
    EMSGSIZE,
    ENODATA,
    EOPNOTSUPP,
    EPERM,
    os_error,
)
from simkernel.uapi.socket import MSG_OOB

if TYPE_CHECKING:
    from simkernel.kernel.netlink.kernel_socket import KernelSocket
    from simkernel.kernel.netlink.socket import NetlinkSocket
    from simkernel.kernel.vfs.task import Task

RESERVE = 32
"""Bytes of the send buffer that a message may not use."""


def sendmsg(
    sock: NetlinkSocket,
    task: Task,
    data: bytes,
    address: Address | None = None,
    control: Iterable[ControlMessage] = (),
    flags: int = 0,
) -> int | Awaitable[int]:
    """Send `data` to a group, and then to a port id (`netlink_sendmsg()`).

    What the group makes of it the sender does not learn; the result is the port id's.  Raises
    WouldBlock if the receiver has no room; a retry does not send to the group again.
    """
    if flags and flags & MSG_OOB:
        raise os_error(EOPNOTSUPP)
    length = len(data)
    if not length:
        raise os_error(ENODATA)
    netlink = sock.netlink
    claim = scm.send(task, control, netlink.pid_exists) if control else None
    if address is None:
        portid, group = sock.destination, sock.destination_group
    else:
        portid, group = address if isinstance(address, tuple) else addresses.parse(address)
        if group:
            group = addresses.lowest_group(group)
        if (portid or group) and not addresses.allowed(sock, task, NONROOT_SEND):
            raise os_error(EPERM)
    if not sock.bound:
        addresses.autobind(sock, task)
    if length > sock.sndbuf - RESERVE:
        raise os_error(EMSGSIZE)
    engine = netlink.engine
    prices = netlink.prices
    try:
        engine.charged += prices.send[length]
    except KeyError:
        engine.charged += prices.reckon("send", length)
    if portid or group:
        truesize = user_truesize(length, group != 0)
        creds = claim or own_creds(task)
        source = (sock.portid, addresses.group_mask(group))
        skb = make_skb(data, truesize, source, group, creds, netlink.trace.flow)
        if group:
            broadcast.broadcast(sock, skb, portid, group, shared=True)
        if portid:
            return _unicast(sock, skb, portid)
    target = sock.ports.kernel
    if target is None or (read := target.input) is None:
        raise os_error(ECONNREFUSED)
    inbound = Inbound()
    inbound.data = data
    inbound.sender = sock
    inbound.task = task
    inbound.claim = claim
    inbound.addressed = address is not None
    netlink.statistics.requests += 1
    if netlink.trace.emit is not None:
        tap.to_kernel(netlink.trace, sock.protocol, inbound, group)
    pending = read(inbound)  # in the context of the sender (`netlink_unicast_kernel()`)
    return length if pending is None else _finish(target, inbound, pending)


def _unicast(sock: NetlinkSocket, skb: Skb, portid: int) -> int:
    """The part of `netlink_unicast()` that is done again after waiting for room."""
    target = find(sock, portid)
    accepted = accept(target, skb)
    if accepted is None:
        return len(skb.data)
    if not queue(target, accepted):
        raise WouldBlock(target.senders, partial(_unicast, sock, accepted, portid))
    return len(accepted.data)


async def _finish(target: KernelSocket, inbound: Inbound, pending: Awaitable[None]) -> int:
    target.slept_on.append(inbound)
    try:
        await pending
    finally:
        target.slept_on.remove(inbound)
    return len(inbound.data)
