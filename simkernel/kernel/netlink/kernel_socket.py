"""The kernel's own end of a protocol in a namespace (`netlink_kernel_create()`)."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, ClassVar

from simkernel.kernel.net.skb import KERNEL_ADDRESS, KERNEL_CREDS, Creds, Inbound, Skb, make_skb
from simkernel.kernel.net.truesize import SLAB_TRUESIZE, truesize, user_truesize
from simkernel.kernel.netlink import broadcast, deliver
from simkernel.kernel.netlink.address import group_mask
from simkernel.kernel.netlink.table import LEAST_GROUPS, Bind, Owner, PortTable, Release, Unbind
from simkernel.uapi.errno import EADDRINUSE, EINVAL, ESRCH, os_error
from simkernel.uapi.netlink import MAX_LINKS

if TYPE_CHECKING:
    from simkernel.kernel.net.namespace import Net
    from simkernel.kernel.netlink.netlink import Netlink
    from simkernel.kernel.netlink.table import ProtocolEntry

Input = Callable[[Inbound], Awaitable[None] | None]
"""Reads what a program sends to port id 0, in that program's context; awaitable if it must sleep."""


class KernelSocket:
    """Port id 0 of a protocol in a namespace."""

    __slots__ = ("cookie", "entry", "input", "net", "netlink", "ports", "slept_on")

    is_kernel: ClassVar[bool] = True
    portid: ClassVar[int] = 0

    def __init__(
        self, netlink: Netlink, net: Net, entry: ProtocolEntry, ports: PortTable, input: Input | None
    ) -> None:
        self.netlink = netlink
        self.net = net
        self.entry = entry
        self.ports = ports
        self.input = input
        self.cookie = next(net.socket_cookies)
        self.slept_on: list[Inbound] = []
        """Messages of which somebody makes an answer that takes time."""

    @property
    def rmem(self) -> int:
        """Memory of the messages that it has not done with: those that a dump under way answers, too."""
        dumps = (sock.dump.request.inbound for sock in self.ports.values() if sock.dump is not None)
        held = dict.fromkeys((*self.slept_on, *dumps))
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
        price = netlink.prices.kernel_skb.get(length) or netlink.prices.reckon("kernel_skb", length)
        netlink.engine.charged += price + (netlink.costs.page_alloc if size > SLAB_TRUESIZE else 0)
        return make_skb(data, size, KERNEL_ADDRESS, 0, creds, netlink.trace.flow)

    def send(self, data: bytes, portid: int, allotted: int = 0) -> None:
        """Send to a port id, in a buffer of its own (`nlmsg_unicast()`).

        ECONNREFUSED if nobody has that port id, or who has it is connected to another program; EAGAIN
        if there is no room, which is an overrun of the receiver.
        """
        self.send_in(data, portid, truesize(allotted, len(data)))

    def send_in(self, data: bytes, portid: int, size: int) -> None:
        """The same, in a buffer that takes `size` bytes of memory."""
        netlink, target = self.netlink, self.ports.get(portid)
        if netlink.trace.emit is not None:
            deliver.unicast(self, self._skb(data, size), portid)
            return
        if (
            target is None
            or target.destination
            or target.plain is None
            or size > SLAB_TRUESIZE
            or ((filled := target.rmem + size) > target.rcvbuf and target.rmem)
        ):
            deliver.unicast(self, self._skb(data, size), portid)
            return
        engine, prices, length = netlink.engine, netlink.prices, len(data)
        try:
            engine.charged += prices.kernel_unicast[length]
        except KeyError:
            engine.charged += prices.reckon("kernel_unicast", length)
        skb = Skb()  # make_skb(), in place
        skb.data = data
        skb.truesize = size
        skb.address = KERNEL_ADDRESS
        skb.dst_group = 0
        skb.creds = KERNEL_CREDS
        skb.flow = 0  # which are kept for traces
        skb.nsid = None
        netlink.statistics.delivered += 1  # deliver.queue(), in place
        target.rmem = filled
        line = target.queue
        if line is None:
            line = target.queue = deque()
        line.append(skb)
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
                deliver.unicast(self, skb, portid)
            except OSError as raised:
                error = error or raised
        if error is not None:
            raise error

    def has_listeners(self, group: int) -> bool:
        """Whether anybody is in `group`, in whatever namespace (`netlink_has_listeners()`)."""
        return bool(self.entry.members.get(group))

    def set_error(self, portid: int, group: int, number: int) -> int:
        """Let the members of `group`, `portid` left out, have an error (`netlink_set_err()`)."""
        return broadcast.set_error(self, portid, group, number)

    def clear_members(self, group: int) -> None:
        """Take everybody out of `group` (`__netlink_clear_multicast_users()`)."""
        self.entry.clear_members(group)

    def release(self) -> None:
        """Take it away (`netlink_kernel_release()`); with the last one the protocol is nobody's."""
        del self.net.kernel_sockets[self.protocol]
        self.ports.kernel = None
        self.entry.registered -= 1
        if not self.entry.registered:
            self.entry.clear()


def create(
    netlink: Netlink,
    net: Net,
    protocol: int,
    *,
    input: Input | None = None,
    groups: int = 0,
    flags: int = 0,
    bind: Bind | None = None,
    unbind: Unbind | None = None,
    release: Release | None = None,
    owner: Owner | None = None,
) -> KernelSocket:
    """Serve `protocol` in `net` (`__netlink_kernel_create()`).

    The first to serve it anywhere says how many groups it has, who may use it, and to which module
    it belongs.  EINVAL for a number that is no protocol, EADDRINUSE if it is served in `net`
    already; Linux has no error for either, but returns no socket.
    """
    if not 0 <= protocol < MAX_LINKS:
        raise os_error(EINVAL)
    if protocol in net.kernel_sockets:
        raise os_error(EADDRINUSE)
    entry = netlink.entries[protocol]
    sock = KernelSocket(netlink, net, entry, netlink.ports(net, protocol), input)
    net.kernel_sockets[protocol] = sock.ports.kernel = sock
    if not entry.registered:
        entry.groups = max(groups, LEAST_GROUPS)
        entry.owner = owner
        entry.flags = flags
        entry.bind = bind
        entry.unbind = unbind
        entry.release = release
    entry.registered += 1
    return sock
