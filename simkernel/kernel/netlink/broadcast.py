"""Sending to a group (`netlink_broadcast_filtered()`)."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from typing import TYPE_CHECKING, Final

from simkernel.kernel.lib.layers import KERNEL
from simkernel.kernel.netlink.deliver import accept, overrun, queue
from simkernel.kernel.netlink.options import BROADCAST_ERROR, LISTEN_ALL_NSID, NO_ENOBUFS
from simkernel.uapi.capability import CAP_NET_BROADCAST
from simkernel.uapi.errno import ENOBUFS, ESRCH, os_error

if TYPE_CHECKING:
    from simkernel.kernel.net.namespace import Net
    from simkernel.kernel.net.skb import Skb
    from simkernel.kernel.netlink.kernel_socket import KernelSocket
    from simkernel.kernel.netlink.socket import NetlinkSocket


_NOWHERE: Final = object()
"""Instead of a namespace: no member is plain there."""


class Broadcast:
    """One sending to one group (`struct netlink_broadcast_data`).

    `cut` is the buffer that was cut for a member that had no room: the next one gets it.  While
    nobody else holds the sender's own buffer (`shared`), that one is handed out instead of a copy,
    and a filter cuts it for all that follow.
    """

    __slots__ = ("cut", "delivered", "failed", "net", "shared", "skb")

    def __init__(self, net: Net, skb: Skb, shared: bool) -> None:
        self.net = net
        self.skb = skb
        self.shared = shared
        self.cut: Skb | None = None
        self.delivered = False
        self.failed = False

    def to(
        self, members: Collection[NetlinkSocket], source: NetlinkSocket | KernelSocket, portid: int
    ) -> None:
        """Let all members have it but the sender and `portid`.

        A plain member of the same namespace that has room is served in place, as `deliver.queue()`
        would; any other is for `offer`, and so are all while somebody traces or the buffer is cut.
        """
        netlink, skb = source.netlink, self.skb
        engine, costs = netlink.engine, netlink.costs
        truesize, deliver = skb.truesize, costs.deliver
        each = costs.multicast_member
        price = deliver + each
        home = self.net if netlink.trace.emit is None and not portid else _NOWHERE
        charged, others = engine.charged, 0
        for member in members:
            filled = member.rmem + truesize
            if member.plain is home and member is not source and filled <= member.rcvbuf:
                self.shared = True
                member.rmem = filled
                if (line := member.queue) is None:
                    line = member.queue = deque()
                line.append(skb)
                if (readers := member._readers) is None or (reader := readers._first) is None:
                    charged += price
                else:
                    engine.charged = charged + deliver
                    if readers._others:
                        readers.wake_up()
                    else:
                        reader.wake(True)  # as wake_up() does
                    charged = engine.charged + each
                continue
            others += 1
            if self._is_meant(member, source, portid):
                engine.charged = charged
                self.offer(member)
                charged = engine.charged + each
                if self.cut is not None or self.skb is not skb:
                    home = _NOWHERE
        engine.charged = charged
        served = len(members) - others
        netlink.statistics.delivered += served
        self.delivered = self.delivered or served > 0

    def _is_meant(self, member: NetlinkSocket, source: NetlinkSocket | KernelSocket, portid: int) -> bool:
        """Neither the sender nor left out, and where it can hear (NETLINK_LISTEN_ALL_NSID)."""
        if member is source or member.portid == portid:
            return False
        return member.net is self.net or _listens(member, self.net)

    def offer(self, member: NetlinkSocket) -> None:
        """Let a member have it (`do_one_broadcast()`)."""
        offered = self.cut or self.skb
        skb = accept(member, offered)
        self.cut = None
        if skb is None:
            return
        if offered is self.skb and not self.shared:
            self.skb = skb
        if queue(member, self._for(member, skb), unicast=False):
            self.delivered = True
            self.shared = self.shared or skb is self.skb
        else:
            overrun(member)
            self.failed = self.failed or bool(member.flags & BROADCAST_ERROR)
            if skb is not self.skb:
                self.cut = skb

    def _for(self, member: NetlinkSocket, skb: Skb) -> Skb:
        """The buffer as a member gets it: one that is elsewhere is told where it comes from."""
        return skb if member.net is self.net else skb.copy(member.net.id_of(self.net))


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
    others = entry.subscribers - len(members)
    netlink.engine.charged += costs.multicast + costs.multicast_skip * others
    if entry.subscribers > costs.cached_sockets:
        netlink.engine.charged += costs.misses(len(members), others)
    netlink.statistics.multicasts += 1
    if (emit := netlink.trace.emit) is not None:
        emit(
            "netlink_broadcast", KERNEL, "netlink",
            protocol=entry.number, portid=portid, group=group, length=len(skb.data), flow=skb.flow,
        )  # fmt: skip
    sending = Broadcast(net, skb, shared)
    sending.to(members, source, portid)
    if not source.is_kernel:
        return
    if sending.failed:
        raise os_error(ENOBUFS)
    if not sending.delivered:
        raise os_error(ESRCH)


def _listens(member: NetlinkSocket, net: Net) -> bool:
    """Whether a socket of another namespace hears what is sent in `net`."""
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
