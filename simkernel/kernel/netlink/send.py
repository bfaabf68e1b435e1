"""Sending by programs, to a port id or a group (`netlink_sendmsg()`, `netlink_unicast()`)."""

from __future__ import annotations

from collections.abc import Awaitable
from functools import partial

from simkernel.kernel.net import scm
from simkernel.kernel.net.creds import Creds, own_creds
from simkernel.kernel.net.truesize import user_truesize
from simkernel.kernel.netlink import address as addresses
from simkernel.kernel.netlink import broadcast, tap
from simkernel.kernel.netlink.deliver import accept, find, queue
from simkernel.kernel.netlink.skb import Skb, make_skb
from simkernel.kernel.netlink.sock import NONROOT_SEND, Inbound, NetlinkSock, PortTable
from simkernel.kernel.sched.wait import WouldBlock
from simkernel.kernel.vfs.socket import Address, Control
from simkernel.kernel.vfs.task import Task
from simkernel.uapi.errno import (
    ECONNREFUSED,
    EMSGSIZE,
    ENODATA,
    EOPNOTSUPP,
    EPERM,
    os_error,
)
from simkernel.uapi.socket import MSG_OOB

RESERVE = 32
"""A message must be smaller than the send buffer by at least this number of bytes."""


def sendmsg(
    sock: NetlinkSock,
    task: Task,
    data: bytes,
    address: Address | None = None,
    control: Control = (),
    flags: int = 0,
) -> int | Awaitable[int]:
    """Send `data` to a port id. If the address names a group, first send `data` to the group
    (`netlink_sendmsg()`).

    Errors of the multicast are not reported to the sender: the result is that of the unicast. Raise
    WouldBlock if the receiver's queue is full. A retry does not repeat the multicast.
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
        portid, group = _destination(sock, task, address)
    if not sock.bound:
        addresses.autobind(sock, task)
    if length > sock.sndbuf - RESERVE:
        raise os_error(EMSGSIZE)
    costs = netlink.message_costs
    try:
        netlink.engine.charged += costs.send[length]
    except KeyError:
        netlink.engine.charged += costs.compute("send", length)
    if portid or group:
        skb = _allocate(sock, task, data, group, claim)
        if group:
            broadcast.broadcast(sock, skb, portid, group, shared=True)
        if portid:
            return _unicast(sock, skb, portid)
    inbound = Inbound()
    inbound.data = data
    inbound.sender = sock
    inbound.task = task
    inbound.claim = claim
    inbound.addressed = address is not None
    return _unicast_kernel(sock.ports, inbound, group)


def _destination(sock: NetlinkSock, task: Task, address: Address) -> tuple[int, int]:
    """Return port id and group of an address. Raise EPERM if a task without privilege addresses a group or a
    port id other than the kernel's.
    """
    portid, group = address if isinstance(address, tuple) else addresses.parse(address)
    if group:
        group = addresses.lowest_group(group)
    if (portid or group) and not addresses.allowed(sock, task, NONROOT_SEND):
        raise os_error(EPERM)
    return portid, group


def _allocate(sock: NetlinkSock, task: Task, data: bytes, group: int, claim: Creds | None) -> Skb:
    """Allocate a buffer for a message to other programs."""
    truesize = user_truesize(len(data), group != 0)
    source = (sock.portid, addresses.group_mask(group))
    return make_skb(data, truesize, source, group, claim or own_creds(task), sock.netlink.trace.flow)


def _unicast(sock: NetlinkSock, skb: Skb, portid: int) -> int:
    """Send a buffer to a port id (`netlink_unicast()`). If the queue is full, the caller waits and calls this
    function again.
    """
    target = find(sock, portid)
    accepted = accept(target, skb)
    if accepted is None:
        return len(skb.data)
    if not queue(target, accepted):
        raise WouldBlock(target.senders, partial(_unicast, sock, accepted, portid))
    return len(accepted.data)


def _unicast_kernel(ports: PortTable, inbound: Inbound, group: int) -> int | Awaitable[int]:
    """Call the kernel's receive function in the sender's context (`netlink_unicast_kernel()`)."""
    read, sock = ports.input, inbound.sender
    if read is None:
        raise os_error(ECONNREFUSED)
    netlink = sock.netlink
    netlink.statistics.requests += 1
    if netlink.trace.emit is not None:
        tap.to_kernel(netlink.trace, sock.protocol, inbound, group)
    pending = read(inbound)
    return len(inbound.data) if pending is None else _finish(ports, inbound, pending)


async def _finish(ports: PortTable, inbound: Inbound, pending: Awaitable[None]) -> int:
    ports.pending.append(inbound)
    try:
        await pending
    finally:
        ports.pending.remove(inbound)
    return len(inbound.data)
