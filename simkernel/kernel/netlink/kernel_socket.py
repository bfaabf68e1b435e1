"""The kernel's own end of a protocol in a namespace (`netlink_kernel_create()`)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import ClassVar, Final

from simkernel.kernel.net.creds import KERNEL_CREDS, Creds
from simkernel.kernel.net.namespace import Net, PernetSlot
from simkernel.kernel.net.truesize import SKB_STRUCT, SLAB_TRUESIZE, truesize, user_truesize
from simkernel.kernel.netlink import broadcast, deliver
from simkernel.kernel.netlink.address import group_mask
from simkernel.kernel.netlink.netlink import Netlink
from simkernel.kernel.netlink.owner import Owner
from simkernel.kernel.netlink.skb import KERNEL_ADDRESS, Skb, make_skb
from simkernel.kernel.netlink.sock import MIN_GROUPS, Bind, Input, PortTable, ProtocolEntry, Release, Unbind
from simkernel.uapi.errno import EADDRINUSE, EINVAL, ESRCH, os_error
from simkernel.uapi.netlink import MAX_LINKS


class KernelSocket:
    """Port id 0 of a protocol in a namespace."""

    __slots__ = ("cookie", "entry", "net", "netlink", "ports")

    is_kernel: ClassVar[bool] = True
    portid: ClassVar[int] = 0

    def __init__(self, netlink: Netlink, net: Net, entry: ProtocolEntry, ports: PortTable) -> None:
        self.netlink = netlink
        self.net = net
        self.entry = entry
        self.ports = ports
        self.cookie = next(net.socket_cookies)

    @property
    def rmem(self) -> int:
        """Memory of the requests that it still holds, those of running dumps included."""
        dumps = (sock.dump.inbound for sock in self.ports.values() if sock.dump is not None)
        held = dict.fromkeys((*self.ports.pending, *dumps))
        return sum(user_truesize(len(each.data), multicast=False) for each in held)

    @property
    def protocol(self) -> int:
        """The protocol's number."""
        return self.entry.number

    def skb(self, data: bytes, allotted: int = 0, creds: Creds = KERNEL_CREDS) -> Skb:
        """A buffer from the kernel, made for `allotted` bytes or as many as there are."""
        return self._skb(data, truesize(allotted, len(data)), creds)

    def _skb(self, data: bytes, size: int, creds: Creds = KERNEL_CREDS) -> Skb:
        netlink, length = self.netlink, len(data)
        costs = netlink.message_costs
        cost = costs.kernel_skb.get(length) or costs.compute("kernel_skb", length)
        pages = netlink.costs.pages(size - SKB_STRUCT) if size > SLAB_TRUESIZE else 0
        netlink.engine.charged += cost + pages
        return make_skb(data, size, KERNEL_ADDRESS, 0, creds, netlink.trace.flow)

    def send(self, data: bytes, portid: int, allotted: int = 0) -> None:
        """Send to a port id, in a buffer of its own (`nlmsg_unicast()`).

        ECONNREFUSED if nobody has that port id, or who has it is connected to another program; EAGAIN
        if there is no room, which is an overrun of the receiver.
        """
        self.send_in(data, portid, truesize(allotted, len(data)))

    def send_in(self, data: bytes, portid: int, size: int) -> None:
        """Like `send`, in a buffer that takes `size` bytes of memory."""
        netlink, target = self.netlink, self.ports.get(portid)
        if netlink.trace.emit is not None:
            deliver.unicast(self.ports, self._skb(data, size), portid)
            return
        if (
            target is None
            or target.destination
            or target.plain is None
            or size > SLAB_TRUESIZE
            or ((filled := target.rmem + size) > target.rcvbuf and target.rmem)
        ):
            deliver.unicast(self.ports, self._skb(data, size), portid)
            return
        engine, costs, length = netlink.engine, netlink.message_costs, len(data)
        try:
            engine.charged += costs.kernel_unicast[length]
        except KeyError:
            engine.charged += costs.compute("kernel_unicast", length)
        # INLINE: simkernel.kernel.netlink.skb.make_skb, 45 ns
        skb = Skb()
        skb.data = data
        skb.truesize = size
        skb.address = KERNEL_ADDRESS
        skb.dst_group = 0
        skb.creds = KERNEL_CREDS
        skb.flow = 0  # which are kept for traces
        skb.nsid = None
        # INLINE: simkernel.kernel.netlink.deliver.queue, 110 ns
        netlink.statistics.delivered += 1
        target.rmem = filled
        queued = target.queue
        if queued is None:
            queued = target.queue = deque()
        queued.append(skb)
        if target._readers is not None:
            target._readers.wake_up()

    def multicast(self, skb: Skb, group: int, *, exclude: int = 0, shared: bool = False) -> None:
        """Send to a group, `exclude` left out (`nlmsg_multicast()`).  ESRCH or ENOBUFS."""
        skb.dst_group = group
        skb.address = (0, group_mask(group))
        broadcast.broadcast(self, skb, exclude, group, shared=shared)

    def notify(self, skb: Skb, portid: int, group: int, *, report: bool) -> None:
        """Tell a group, and if `report` also `portid` by itself (`nlmsg_notify()`).

        Nobody in the group is fine.  Both are tried; the first error counts.
        """
        error: OSError | None = None
        if group:
            try:
                self.multicast(skb, group, exclude=portid if report else 0, shared=report)
            except OSError as raised:
                error = None if raised.errno == ESRCH else raised
        if report:
            try:
                deliver.unicast(self.ports, skb, portid)
            except OSError as raised:
                error = error or raised
        if error is not None:
            raise error

    def has_listeners(self, group: int) -> bool:
        """Whether anybody is in `group`, in whatever namespace (`netlink_has_listeners()`)."""
        return bool(self.entry.members.get(group))

    def release(self) -> None:
        """Close it (`netlink_kernel_release()`); the last one of a protocol unregisters the protocol."""
        del KERNEL_SOCKETS.of(self.net)[self.protocol]
        self.ports.input = None
        self.entry.registered -= 1
        if not self.entry.registered:
            self.entry.clear()


KERNEL_SOCKETS: Final[PernetSlot[dict[int, KernelSocket]]] = PernetSlot(dict)
"""The kernel's sockets of a namespace, by protocol."""


def create(
    netlink: Netlink,
    net: Net,
    protocol: int,
    *,
    input: Callable[[KernelSocket], Input] | None = None,
    groups: int = 0,
    flags: int = 0,
    bind: Bind | None = None,
    unbind: Unbind | None = None,
    release: Release | None = None,
    owner: Owner | None = None,
) -> KernelSocket:
    """Serve `protocol` in `net` (`__netlink_kernel_create()`).

    `input` makes the function that reads what programs send.  The first socket of a protocol in any
    namespace sets its number of groups, its permissions and its module.  EINVAL for an invalid protocol
    number, EADDRINUSE if `net` has a socket of it; Linux returns no socket in either case.
    """
    if not 0 <= protocol < MAX_LINKS:
        raise os_error(EINVAL)
    sockets = KERNEL_SOCKETS.of(net)
    if protocol in sockets:
        raise os_error(EADDRINUSE)
    entry = netlink.entries[protocol]
    sock = sockets[protocol] = KernelSocket(netlink, net, entry, netlink.ports(net, protocol))
    sock.ports.input = None if input is None else input(sock)
    if not entry.registered:
        entry.groups = max(groups, MIN_GROUPS)
        entry.owner = owner
        entry.flags = flags
        entry.bind = bind
        entry.unbind = unbind
        entry.release = release
    entry.registered += 1
    return sock
