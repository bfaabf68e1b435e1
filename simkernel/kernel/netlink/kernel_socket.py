"""The kernel's socket of a protocol in a namespace (`netlink_kernel_create()`)."""

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
    """The kernel's socket of one protocol in one namespace. It receives the datagrams that programs send to
    port id 0.
    """

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
        """Receive memory, in bytes, that unfinished requests occupy. The requests of running dumps are
        included.
        """
        dumps = (sock.dump.inbound for sock in self.ports.values() if sock.dump is not None)
        held = dict.fromkeys((*self.ports.pending, *dumps))
        return sum(user_truesize(len(each.data), multicast=False) for each in held)

    @property
    def protocol(self) -> int:
        """Number of the protocol (NETLINK_ROUTE, ...)."""
        return self.entry.number

    def skb(self, data: bytes, allotted: int = 0, creds: Creds = KERNEL_CREDS) -> Skb:
        """Allocate a buffer of at least `allotted` bytes for a message from the kernel. If the message `data`
        is longer, the buffer is as long as the message.
        """
        return self._skb(data, truesize(allotted, len(data)), creds)

    def _skb(self, data: bytes, size: int, creds: Creds = KERNEL_CREDS) -> Skb:
        netlink, length = self.netlink, len(data)
        costs = netlink.message_costs
        cost = costs.kernel_skb.get(length) or costs.compute("kernel_skb", length)
        pages = netlink.costs.pages(size - SKB_STRUCT) if size > SLAB_TRUESIZE else 0
        netlink.engine.charged += cost + pages
        return make_skb(data, size, KERNEL_ADDRESS, 0, creds, netlink.trace.flow)

    def send(self, data: bytes, portid: int, allotted: int = 0) -> None:
        """Send `data` to a port id in a new buffer (`nlmsg_unicast()`).

        Raise ECONNREFUSED if no socket has the port id, or if that socket is connected to another program.
        Raise EAGAIN if the receiver's queue is full; this counts as an overrun of the receiver.
        """
        self.send_in(data, portid, truesize(allotted, len(data)))

    def send_in(self, data: bytes, portid: int, size: int) -> None:
        """Send `data` to a port id, in a new buffer whose truesize is `size` bytes."""
        netlink, target = self.netlink, self.ports.get(portid)
        if netlink.trace.emit is not None:
            deliver.unicast(self.ports, self._skb(data, size), portid)
            return
        if (
            target is None
            or target.destination
            or target.fast_net is None
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
        # INLINE: simkernel.kernel.netlink.skb.make_skb, saves 45 ns
        skb = Skb()
        skb.data = data
        skb.truesize = size
        skb.address = KERNEL_ADDRESS
        skb.dst_group = 0
        skb.creds = KERNEL_CREDS
        skb.flow = 0  # flow ids are propagated only while a tracer is attached
        skb.nsid = None
        # INLINE: simkernel.kernel.netlink.deliver.queue, saves 110 ns
        netlink.statistics.delivered += 1
        target.rmem = filled
        queued = target.queue
        if queued is None:
            queued = target.queue = deque()
        queued.append(skb)
        if target._readers is not None:
            target._readers.wake_up()

    def multicast(self, skb: Skb, group: int, *, exclude: int = 0, shared: bool = False) -> None:
        """Send a message to the members of a group, except the socket with port id `exclude`
        (`nlmsg_multicast()`). Raise ESRCH if no member received the message. Raise ENOBUFS if a member with
        NETLINK_BROADCAST_ERROR was overrun.
        """
        skb.dst_group = group
        skb.address = (0, group_mask(group))
        broadcast.broadcast(self, skb, exclude, group, shared=shared)

    def notify(self, skb: Skb, portid: int, group: int, *, report: bool) -> None:
        """Send a notification to a group (`nlmsg_notify()`). If `report` is true, also send it to the socket
        with port id `portid`.

        A group without members is no error. Both sends are attempted, and then the first error is raised.
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
        """Return True if `group` has a member in any namespace (`netlink_has_listeners()`)."""
        return bool(self.entry.members.get(group))

    def release(self) -> None:
        """Close the socket (`netlink_kernel_release()`). If it is the last kernel socket of its protocol,
        also unregister the protocol.
        """
        del KERNEL_SOCKETS.of(self.net)[self.protocol]
        self.ports.input = None
        self.entry.registered -= 1
        if not self.entry.registered:
            self.entry.clear()


KERNEL_SOCKETS: Final[PernetSlot[dict[int, KernelSocket]]] = PernetSlot(dict)
"""Kernel sockets of each namespace, by protocol number."""


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
    """Create the kernel socket of `protocol` in `net` (`__netlink_kernel_create()`).

    `input` creates the function that handles what programs send. The first socket of a protocol in any
    namespace sets the number of groups, the permissions and the module of the protocol. Raise EINVAL for
    an invalid protocol number, EADDRINUSE if `net` already has a socket; Linux returns NULL in both cases.
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
