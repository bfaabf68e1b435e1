"""A program's netlink socket (`struct netlink_sock`): its state, and what can be done with it.

It does not know who calls and never waits.  A send that would have to wait raises `WouldBlock`, and one
that a driver answers only after sleeping returns an awaitable; a receive that finds nothing is None.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from simkernel.kernel.net import sock_options
from simkernel.kernel.net.sock import Sock
from simkernel.kernel.netlink import address as addresses
from simkernel.kernel.netlink import options, receive, send
from simkernel.kernel.netlink.address import Address
from simkernel.kernel.netlink.table import put_owner
from simkernel.kernel.sched.wait import WaitQueue
from simkernel.uapi.netlink import SockaddrNl
from simkernel.uapi.socket import SOL_SOCKET

if TYPE_CHECKING:
    from simkernel.kernel.net.namespace import Net
    from simkernel.kernel.netlink.dump import DumpCallback
    from simkernel.kernel.netlink.netlink import Netlink
    from simkernel.kernel.netlink.table import Owner, PortTable, ProtocolEntry
    from simkernel.kernel.vfs.task import Task


class NetlinkSocket(Sock):
    """A netlink socket.

    `portid` is shown from the first attempt to bind, `bound` says whether it is really its own.
    `groups` is a mask of its groups and `group_count` how many it has room for; `stamp` orders it among
    the subscribers of its protocol.  `flags` are the options of level SOL_NETLINK.  `plain` is its
    namespace if nothing keeps multicasts out that are sent there, except that there may be no room.
    `special` says that a receive has more to see to than the queue.
    """

    __slots__ = (
        "_senders",
        "bound",
        "congested",
        "connected",
        "destination",
        "destination_group",
        "dump",
        "entry",
        "flags",
        "group_count",
        "groups",
        "largest_receive",
        "netlink",
        "owner",
        "plain",
        "portid",
        "ports",
        "special",
        "stamp",
    )

    is_kernel: ClassVar[bool] = False

    def __init__(
        self,
        netlink: Netlink,
        net: Net,
        ports: PortTable,
        entry: ProtocolEntry,
        type: int,
        task: Task,
        owner: Owner | None,
    ) -> None:
        super().__init__(net, type, entry.number, task.credentials)
        self.netlink = netlink
        self.entry = entry
        self.ports = ports
        self.owner = owner
        self.portid = 0
        self.bound = False
        self.connected = False
        self.destination = 0
        self.destination_group = 0
        self.groups = 0
        self.group_count = 0
        self.stamp = 0
        self.flags = 0
        self.congested = False
        self.plain: Net | None = None
        self.special = False
        self.largest_receive = 0
        self.dump: DumpCallback | None = None
        self._senders: WaitQueue | None = None

    def __repr__(self) -> str:
        return f"<{self.title}>"

    @property
    def title(self) -> str:
        """What it is called in lists of who waits where."""
        return f"netlink protocol {self.protocol}, port id {self.portid}"

    @property
    def senders(self) -> WaitQueue:
        """Who waits for room in its queue."""
        if self._senders is None:
            self._senders = WaitQueue(f"room at {self.title}")
            self.changed()
        return self._senders

    # -- the calls ------------------------------------------------------------

    def bind(self, task: Task, address: Address) -> None:
        """bind(2): take a port id, and the first 32 groups as the mask says."""
        addresses.bind(self, task, address)

    def connect(self, task: Task, address: Address) -> None:
        """connect(2): where `sendmsg` sends without an address."""
        addresses.connect(self, task, address)

    def getsockname(self) -> tuple[int, int]:
        """getsockname(2): port id, and the mask of the first 32 groups (`netlink_getname()`)."""
        return self.portid, self.groups & 0xFFFFFFFF

    def getpeername(self) -> tuple[int, int]:
        """getpeername(2): where it is connected to; the kernel (0, 0) if nowhere."""
        return self.destination, addresses.group_mask(self.destination_group)

    def getpeername_bytes(self) -> bytes:
        """getpeername(2) as it is in memory, for SO_PEERNAME."""
        portid, groups = self.getpeername()
        return SockaddrNl(pid=portid, groups=groups).pack()

    sendmsg = send.sendmsg
    recvmsg = receive.recvmsg

    def setsockopt(self, task: Task, level: int, option: int, value: bytes) -> None:
        """setsockopt(2)."""
        if level == SOL_SOCKET:
            sock_options.set_option(self, task, option, value)
        else:
            options.set_option(self, task, level, option, value)

    def getsockopt(self, task: Task, level: int, option: int, length: int) -> bytes:
        """getsockopt(2): the value, as long as the call reports it to be."""
        if level == SOL_SOCKET:
            return sock_options.get_option(self, option, length)
        return options.get_option(self, level, option, length)

    # -- waiting for room -------------------------------------------------------

    def changed(self) -> None:
        """It has a port id, a filter, an error, congestion, a dump or an option, or has one no longer."""
        self.plain = self.net if self.bound and self.filter is None and not self.congested else None
        waited_for = self.congested or self._senders is not None
        controls = self.flags & receive.CONTROL or self.options
        self.special = bool(self.error or waited_for or controls or self.dump is not None)

    def room_made(self) -> None:
        """Something was read: an empty queue ends congestion, senders may try (`netlink_rcv_wake()`)."""
        if not self.queue and self.congested:
            self.congested = False
            self.changed()
        if self._senders and not self.congested:
            self._senders.wake_up()

    # -- the end ------------------------------------------------------------

    def release(self) -> None:
        """The last descriptor is closed (`netlink_release()`)."""
        entry = self.entry
        groups = self.groups
        self.netlink.engine.charged += self.netlink.costs.socket_close
        self.ports.remove(self.portid, self)
        entry.update(self, 0)
        if entry.release is not None:
            entry.release(self)
        if entry.unbind is not None:
            for group in range(1, groups.bit_length() + 1):
                if groups >> (group - 1) & 1:
                    entry.unbind(self.net, group)
        if self._senders:
            self._senders.wake_up_all()
        if self.bound:
            self.netlink.notify_release(self.net, self.protocol, self.portid)
        if self.dump is not None:
            self.dump.close()
            self.dump = None
        self.purge()
        put_owner(self.owner)
        self.ports.users -= 1
        self.netlink.statistics.sockets -= 1
