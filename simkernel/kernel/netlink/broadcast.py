"""Sending to a group (`netlink_broadcast_filtered()`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simkernel.engine import KERNEL
from simkernel.kernel.netlink.deliver import accept, overrun, queue
from simkernel.kernel.netlink.options import BROADCAST_ERROR, LISTEN_ALL_NSID, NO_ENOBUFS
from simkernel.uapi.capability import CAP_NET_BROADCAST
from simkernel.uapi.errno import ENOBUFS, ESRCH, os_error

if TYPE_CHECKING:
    from simkernel.kernel.net.namespace import Net
    from simkernel.kernel.net.skb import Skb
    from simkernel.kernel.netlink.kernel_socket import KernelSocket
    from simkernel.kernel.netlink.socket import NetlinkSocket


class Broadcast:
    """One sending to one group (`struct netlink_broadcast_data`).

    `pending` is the buffer made for a member that did not take it: the next one gets it, cut as the
    other's filter left it.  While nobody else holds the sender's own buffer (`shared`), that one is
    handed out instead of a copy, and a filter cuts it for all that follow.
    """

    __slots__ = ("delivered", "failed", "net", "pending", "shared", "skb")

    def __init__(self, net: Net, skb: Skb, shared: bool) -> None:
        self.net = net
        self.skb = skb
        self.shared = shared
        self.pending: Skb | None = None
        self.delivered = False
        self.failed = False

    def offer(self, member: NetlinkSocket) -> None:
        """Let a member have it (`do_one_broadcast()`)."""
        if self.pending is None:
            self.pending = self.skb
        if member.filter is not None and not self._pass(member):
            self.pending = None
            return
        skb = self._for(member)
        if member.fits(skb.truesize):
            queue(member, skb, unicast=False)
            self.delivered = True
            if self.pending is self.skb:
                self.shared = True
            self.pending = None
        else:
            overrun(member)
            if member.flags & BROADCAST_ERROR:
                self.failed = True

    def _pass(self, member: NetlinkSocket) -> bool:
        """Cut the pending buffer as the member's filter says; False if that leaves nothing."""
        whole = self.pending
        assert whole is not None
        self.pending = accept(member, whole)
        if self.pending is None:
            return False
        if whole is self.skb and not self.shared:
            self.skb = self.pending
        return True

    def _for(self, member: NetlinkSocket) -> Skb:
        """The pending buffer, which for a member elsewhere tells where it comes from."""
        skb = self.pending
        assert skb is not None
        if member.net is self.net:
            return skb
        return skb.copy(member.net.id_of(self.net))


def broadcast(
    source: NetlinkSocket | KernelSocket, skb: Skb, portid: int, group: int, *, shared: bool = False
) -> None:
    """Send to all members of `group` but the sender and `portid`, the latest subscriber first.

    `shared` says that the sender goes on to use the buffer.  ENOBUFS if a member that set
    NETLINK_BROADCAST_ERROR was overrun, ESRCH if nobody got it.  A program that sends learns neither.
    """
    netlink, entry, net = source.netlink, source.entry, source.net
    members = entry.members.get(group, ())
    costs = netlink.costs
    netlink.engine.charged += costs.multicast + costs.multicast_skip * (entry.subscribers - len(members))
    netlink.statistics.multicasts += 1
    if (emit := netlink.engine.trace.emit) is not None:
        emit(
            "netlink_broadcast", KERNEL, "netlink",
            protocol=entry.number, portid=portid, group=group, length=len(skb.data), flow=skb.flow,
        )  # fmt: skip
    sending = Broadcast(net, skb, shared)
    for member in tuple(members):
        if member is not source and member.portid != portid and (member.net is net or _listens(member, net)):
            sending.offer(member)
            netlink.engine.charged += costs.multicast_member
    if not source.is_kernel:
        return
    if sending.failed:
        raise os_error(ENOBUFS)
    if not sending.delivered:
        raise os_error(ESRCH)


def _listens(member: NetlinkSocket, net: Net) -> bool:
    """Whether a socket of another namespace hears what is sent in `net` (NETLINK_LISTEN_ALL_NSID)."""
    return (
        bool(member.flags & LISTEN_ALL_NSID)
        and member.net.id_of(net) is not None
        and member.opener.capable(CAP_NET_BROADCAST)
    )


def set_error(source: KernelSocket, portid: int, group: int, number: int) -> int:
    """Let the members of `group` have an error (`netlink_set_err()`).

    Returns how many were spared ENOBUFS since they set NETLINK_NO_ENOBUFS.
    """
    spared = 0
    for member in source.entry.members.get(group, ()):
        if member.net is not source.net or member.portid == portid:
            continue
        if number == ENOBUFS and member.flags & NO_ENOBUFS:
            spared += 1
        else:
            member.report_error(number)
    return spared
