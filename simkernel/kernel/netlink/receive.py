"""Receiving (`netlink_recvmsg()`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from simkernel.kernel.lib.layers import KERNEL
from simkernel.kernel.net import scm
from simkernel.kernel.net.scm import ControlBuffer, ControlMessage
from simkernel.kernel.netlink.options import LISTEN_ALL_NSID, PKTINFO
from simkernel.uapi.errno import EOPNOTSUPP, os_error
from simkernel.uapi.netlink import NETLINK_LISTEN_ALL_NSID, NETLINK_PKTINFO, NlPktinfo
from simkernel.uapi.socket import (
    MSG_CMSG_CLOEXEC,
    MSG_OOB,
    MSG_PEEK,
    MSG_TRUNC,
    SO_PASSCRED,
    SO_PASSSEC,
    SOL_NETLINK,
)
from simkernel.uapi.structure import S32

if TYPE_CHECKING:
    from simkernel.kernel.net.skb import Skb
    from simkernel.kernel.netlink.socket import NetlinkSocket
    from simkernel.kernel.vfs.socket import Received
    from simkernel.kernel.vfs.task import Task

CONTROL = PKTINFO | LISTEN_ALL_NSID
"""Options that bring control messages."""


def recvmsg(sock: NetlinkSocket, task: Task, size: int, room: int = 0, flags: int = 0) -> Received | None:
    """Take (with MSG_PEEK: look at) the oldest datagram; what exceeds `size` bytes is lost.

    There are `room` bytes for control messages.  The address is the sender's port id and the group as a
    mask.  None if nothing is there: `sock.readers` is what to wait on.  Raises the socket's error first if
    it has one.  Reading goes on with a dump that is under way.
    """
    if flags and flags & MSG_OOB:
        raise os_error(EOPNOTSUPP)
    special = sock.special
    if special and sock.error:
        sock.room_made()
        raise os_error(sock.take_error())
    queue = sock.queue
    if not queue:
        if special:
            sock.room_made()
        return None
    netlink = sock.netlink
    if flags and flags & MSG_PEEK:
        skb = queue[0]
    else:
        skb = queue.popleft()
        sock.rmem -= skb.truesize
        netlink.statistics.received += 1
    if size > sock.largest_receive:
        sock.largest_receive = size
    data = skb.data
    whole = length = len(data)
    message_flags = flags and flags & MSG_CMSG_CLOEXEC  # kept by ___sys_recvmsg()
    if size < whole:
        data = data[:size]
        length = size
        message_flags |= MSG_TRUNC
    prices = netlink.prices
    try:
        netlink.engine.charged += prices.receive[length]
    except KeyError:
        netlink.engine.charged += prices.reckon("receive", length)
    trace = netlink.trace
    if (emit := trace.emit) is not None:
        trace.flow = skb.flow
        emit("netlink_recv", KERNEL, "netlink", protocol=sock.protocol, portid=sock.portid, length=whole)
    messages: Sequence[ControlMessage] = ()
    if special:
        if sock.dump is not None and sock.rmem <= sock.rcvbuf // 2:
            sock.dump.go_on()
        if sock.flags & CONTROL or sock.options:
            control = _control(sock, skb, room)
            messages = control.messages
            message_flags |= control.flags
        sock.room_made()
    if flags and flags & MSG_TRUNC:
        length = whole
    return data, length, messages, message_flags, skb.address


def _control(sock: NetlinkSocket, skb: Skb, room: int) -> ControlBuffer:
    control = ControlBuffer(room)
    if sock.flags & PKTINFO:
        control.put(SOL_NETLINK, NETLINK_PKTINFO, NlPktinfo.LAYOUT.pack(skb.dst_group))
    if sock.flags & LISTEN_ALL_NSID and skb.nsid is not None:
        control.put(SOL_NETLINK, NETLINK_LISTEN_ALL_NSID, S32.pack(skb.nsid))
    if sock.option(SO_PASSCRED) or sock.option(SO_PASSSEC):
        scm.receive(sock, control, skb.creds, room)
    return control
