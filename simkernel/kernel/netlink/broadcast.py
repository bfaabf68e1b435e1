"""Sending to the members of a group (`netlink_broadcast_filtered()`)."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from typing import Final

from simkernel.kernel.lib.layers import KERNEL
from simkernel.kernel.net.namespace import Net
from simkernel.kernel.netlink.deliver import accept, overrun, queue
from simkernel.kernel.netlink.skb import Skb
from simkernel.kernel.netlink.sock import BROADCAST_ERROR, LISTEN_ALL_NSID, NetlinkSock, Source
from simkernel.uapi.capability import CAP_NET_BROADCAST
from simkernel.uapi.errno import ENOBUFS, ESRCH, os_error

_NO_NET: Final = object()
"""An object that is not the `fast_net` of any socket. To disable its fast path, `Broadcast.to` stores this
object in `home`.
"""


class Broadcast:
    """One multicast to one group (`struct netlink_broadcast_data`).

    `shared` is False until a receiver, or the sender, also uses the sender's buffer. Until then the buffer
    is delivered instead of a copy, and a member's filter trims it for all later members. `trimmed` is a
    copy that a filter trimmed for a member whose queue was full; it is offered to the next member.
    """

    __slots__ = ("delivered", "failed", "net", "shared", "skb", "trimmed")

    def __init__(self, net: Net, skb: Skb, shared: bool) -> None:
        self.net = net
        self.skb = skb
        self.shared = shared
        self.trimmed: Skb | None = None
        self.delivered = False
        self.failed = False

    def to(self, members: Collection[NetlinkSock], source: Source, portid: int) -> None:
        """Deliver the message to all members of the group except the sender and the socket with port id
        `portid`.

        The fast path queues the buffer inline if a member needs no special handling, is in the same namespace
        and has queue space. Other members take `offer`. All members take it while a tracer is attached or
        after the buffer was trimmed.
        """
        netlink, skb = source.netlink, self.skb
        engine, costs = netlink.engine, netlink.costs
        truesize, deliver = skb.truesize, costs.deliver
        each = costs.multicast_member
        cost = deliver + each
        home = self.net if netlink.trace.emit is None and not portid else _NO_NET
        charged, slow = engine.charged, 0
        for member in members:
            filled = member.rmem + truesize
            if member.fast_net is home and member is not source and filled <= member.rcvbuf:
                # INLINE: simkernel.kernel.netlink.deliver.queue, saves 110 ns a member
                self.shared = True
                member.rmem = filled
                if (queued := member.queue) is None:
                    queued = member.queue = deque()
                queued.append(skb)
                if (readers := member._readers) is None or readers._first is None:
                    charged += cost
                else:
                    engine.charged = charged + deliver
                    readers.wake_up()
                    charged = engine.charged + each
                continue
            slow += 1
            if self._reaches(member, source, portid):
                engine.charged = charged
                self.offer(member)
                charged = engine.charged + each
                if self.trimmed is not None or self.skb is not skb:
                    home = _NO_NET
        engine.charged = charged
        fast = len(members) - slow
        netlink.statistics.delivered += fast
        self.delivered = self.delivered or fast > 0

    def _reaches(self, member: NetlinkSock, source: Source, portid: int) -> bool:
        """Return False if a member must not get the message. Such members are the sender, the socket with
        port id `portid`, and sockets in other namespaces that do not receive multicasts of the sender's
        namespace.
        """
        if member is source or member.portid == portid:
            return False
        return member.net is self.net or _listens(member, self.net)

    def offer(self, member: NetlinkSock) -> None:
        """Run a member's filter on the buffer, then append the buffer to the member's receive queue. If the
        queue is full, record an overrun (`do_one_broadcast()`).
        """
        offered = self.trimmed or self.skb
        skb = accept(member, offered)
        self.trimmed = None
        if skb is None:
            return
        if offered is self.skb and not self.shared:
            self.skb = skb
        lost = member.lossy and member.loses(skb.dst_group)
        if not lost and queue(member, self._localized(member, skb), unicast=False):
            self.delivered = True
            self.shared = self.shared or skb is self.skb
        else:
            overrun(member)
            self.failed = self.failed or bool(member.flags & BROADCAST_ERROR)
            if skb is not self.skb:
                self.trimmed = skb

    def _localized(self, member: NetlinkSock, skb: Skb) -> Skb:
        """Return the buffer for a member. If the member is outside the sender's namespace, return a copy with
        the id of the sender's namespace.
        """
        return skb if member.net is self.net else skb.copy(member.net.id_of(self.net))


def broadcast(source: Source, skb: Skb, portid: int, group: int, *, shared: bool = False) -> None:
    """Send a message to all members of `group`, the latest subscriber first. The sender and the socket with
    port id `portid` do not get the message.

    `shared`: the sender still uses the buffer. If the kernel is the sender, raise ENOBUFS if a member with
    NETLINK_BROADCAST_ERROR was overrun, ESRCH if no member received the message.
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


def _listens(member: NetlinkSock, net: Net) -> bool:
    """Return True if `member`, a socket in another namespace, receives the multicasts of the namespace `net`
    (NETLINK_LISTEN_ALL_NSID).
    """
    return (
        bool(member.flags & LISTEN_ALL_NSID)
        and member.net.id_of(net) is not None
        and member.opener.capable(CAP_NET_BROADCAST)
    )
