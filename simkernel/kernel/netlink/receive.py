"""Receiving from a netlink socket (`netlink_recvmsg()`)."""

from __future__ import annotations

from simkernel.kernel.lib.layers import KERNEL
from simkernel.kernel.net import scm
from simkernel.kernel.net.scm import ControlBuffer
from simkernel.kernel.netlink.skb import Skb
from simkernel.kernel.netlink.sock import LISTEN_ALL_NSID, PKTINFO, NetlinkSock
from simkernel.kernel.vfs.socket import Control, Received
from simkernel.kernel.vfs.task import Task
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


def recvmsg(sock: NetlinkSock, task: Task, size: int, controllen: int = 0, flags: int = 0) -> Received | None:
    """Dequeue the oldest datagram, and return at most `size` bytes of it. With MSG_PEEK, the datagram stays
    in the queue.

    `controllen` limits the control messages, in bytes. The returned address is the sender's port id and
    the group as a mask. Return None if the queue is empty; the caller can wait on `sock.readers`. A
    pending error of the socket is raised first. A running dump is resumed.
    """
    if flags and flags & MSG_OOB:
        raise os_error(EOPNOTSUPP)
    slow_path = sock.rx_slow_path
    if slow_path:
        _before_receive(sock)
    queue = sock.queue
    if not queue:
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
    full_length = length = len(data)
    # If the caller sets MSG_CMSG_CLOEXEC, Linux returns this flag in `msg_flags`.
    message_flags = flags and flags & MSG_CMSG_CLOEXEC
    if size < full_length:
        data = data[:size]
        length = size
        message_flags |= MSG_TRUNC
    costs = netlink.message_costs
    try:
        netlink.engine.charged += costs.receive[length]
    except KeyError:
        netlink.engine.charged += costs.compute("receive", length)
    trace = netlink.trace
    if (emit := trace.emit) is not None:
        trace.flow = skb.flow
        emit(
            "netlink_recv", KERNEL, "netlink", protocol=sock.protocol, portid=sock.portid, length=full_length
        )
    messages: Control = ()
    if slow_path:
        control = _after_dequeue(sock, skb, controllen)
        messages = control.messages or ()
        message_flags |= control.flags
    return data, full_length if flags and flags & MSG_TRUNC else length, messages, message_flags, skb.address


def _before_receive(sock: NetlinkSock) -> None:
    """Raise the socket's pending error if it has one. Wake blocked senders if there is an error or the queue
    is empty.
    """
    if sock.error:
        sock.after_receive()
        raise os_error(sock.take_error())
    if not sock.queue:
        sock.after_receive()


def after_failed_copy(sock: NetlinkSock) -> None:
    """Finish a receive whose copy to the program failed: resume the socket's dump and wake blocked senders.
    The dequeued datagram is lost.
    """
    if sock.dump is not None and sock.rmem <= sock.rcvbuf // 2:
        sock.dump.resume()
    sock.after_receive()


def _after_dequeue(sock: NetlinkSock, skb: Skb, controllen: int) -> ControlBuffer:
    """Finish a receive after the datagram was dequeued: resume the socket's dump, collect the control
    messages, and wake blocked senders.
    """
    if sock.dump is not None and sock.rmem <= sock.rcvbuf // 2:
        sock.dump.resume()
    control = ControlBuffer(controllen)
    if sock.flags & PKTINFO:
        control.put(SOL_NETLINK, NETLINK_PKTINFO, NlPktinfo.LAYOUT.pack(skb.dst_group))
    if sock.flags & LISTEN_ALL_NSID and skb.nsid is not None:
        control.put(SOL_NETLINK, NETLINK_LISTEN_ALL_NSID, S32.pack(skb.nsid))
    if sock.option(SO_PASSCRED) or sock.option(SO_PASSSEC):
        scm.receive(sock, control, skb.creds, controllen)
    sock.after_receive()
    return control
