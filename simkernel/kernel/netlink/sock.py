"""Netlink's data structures: sockets, and the tables that hold them (net/netlink/af_netlink.h).

Linux has one table entry per protocol of the machine (`nl_table`), with a hash of port ids over all
namespaces. Here each namespace has its own tables of port ids (`PORTS`), and the entry has the rest.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from typing import ClassVar, Final, Protocol

from simkernel.kernel.net.creds import Creds, own_creds
from simkernel.kernel.net.namespace import Net, PernetSlot, net_of
from simkernel.kernel.net.sock import Sock
from simkernel.kernel.netlink.context import NetlinkContext
from simkernel.kernel.netlink.owner import Owner
from simkernel.kernel.netlink.skb import Skb
from simkernel.kernel.sched.wait import WaitQueue
from simkernel.kernel.vfs.task import Task
from simkernel.uapi import netlink as nl
from simkernel.uapi.errno import EADDRINUSE, os_error
from simkernel.uapi.poll import POLLERR, POLLIN, POLLOUT, POLLPRI, POLLRDNORM, POLLWRBAND, POLLWRNORM
from simkernel.uapi.socket import AF_NETLINK, SO_SELECT_ERR_QUEUE

PKTINFO: Final = 1 << nl.NETLINK_PKTINFO
BROADCAST_ERROR: Final = 1 << nl.NETLINK_BROADCAST_ERROR
NO_ENOBUFS: Final = 1 << nl.NETLINK_NO_ENOBUFS
LISTEN_ALL_NSID: Final = 1 << nl.NETLINK_LISTEN_ALL_NSID
CAP_ACK: Final = 1 << nl.NETLINK_CAP_ACK
EXT_ACK: Final = 1 << nl.NETLINK_EXT_ACK
STRICT_CHK: Final = 1 << nl.NETLINK_GET_STRICT_CHK
"""Bits of `NetlinkSock.flags`, one for each SOL_NETLINK option that is a flag."""

FLAGS: Final = frozenset(
    flag.bit_length() - 1
    for flag in (PKTINFO, BROADCAST_ERROR, NO_ENOBUFS, LISTEN_ALL_NSID, CAP_ACK, EXT_ACK, STRICT_CHK)
)
"""Numbers of the SOL_NETLINK options that are flags."""

CONTROL: Final = PKTINFO | LISTEN_ALL_NSID
"""Flags of the options that add a control message to each received datagram."""

NONROOT_RECV: Final = 1
"""Protocol flag: a task without privilege can join groups (NL_CFG_F_NONROOT_RECV)."""
NONROOT_SEND: Final = 2
"""Protocol flag: a task without privilege can send to port ids and groups (NL_CFG_F_NONROOT_SEND)."""

MIN_GROUPS: Final = 32
"""Minimum number of groups of a protocol."""


class RunningDump(Protocol):
    """A dump that still has datagrams to send."""

    @property
    def inbound(self) -> Inbound:
        """Datagram that contained the dump request."""

    def resume(self) -> None:
        """Queue the next datagram, after a receive has freed queue space."""

    def close(self) -> None:
        """End the dump before it is complete."""


class NetlinkSock(Sock):
    """State of a program's netlink socket (`struct netlink_sock`).

    `portid` is set by the first attempt to bind; `bound` is True if the attempt succeeded. `groups` is the
    mask of the joined groups and `group_count` its size in bits. `stamp` is the socket's position among
    the subscribers of its protocol. `flags` are the options of level SOL_NETLINK. `fast_net` is the socket's
    namespace if the multicast fast path can deliver to it, else None. `rx_slow_path`: recvmsg must also
    handle errors, control messages, a dump or blocked senders.
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
        "fast_net",
        "flags",
        "group_count",
        "groups",
        "largest_receive",
        "netlink",
        "owner",
        "portid",
        "ports",
        "queue",
        "rmem",
        "rx_slow_path",
        "stamp",
    )

    lossy: ClassVar[bool] = False
    """True if a fault point can drop messages to the socket. The method `loses` then decides about each
    message.
    """

    family: ClassVar[int] = AF_NETLINK
    ioctl_table = "netlink"
    is_kernel: ClassVar[bool] = False
    atomic_send: ClassVar[bool] = True

    def __init__(
        self, netlink: NetlinkContext, ports: PortTable, entry: ProtocolEntry, type: int, task: Task
    ) -> None:
        super().__init__(net_of(task), type, entry.number, task.credentials)
        self.netlink = netlink
        self.entry = entry
        self.ports = ports
        self.owner = entry.owner
        # The queue is created when the first message arrives, because most sockets receive none.
        self.queue: deque[Skb] | None = None
        self.rmem = 0
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
        self.fast_net: Net | None = None
        self.rx_slow_path = False
        self.largest_receive = 0
        self.dump: RunningDump | None = None
        self._senders: WaitQueue | None = None

    def __repr__(self) -> str:
        return f"<{self.title}>"

    @property
    def title(self) -> str:
        """Name of the socket in reports, for example about sleeping tasks."""
        return f"netlink protocol {self.protocol}, port id {self.portid}"

    @property
    def senders(self) -> WaitQueue:
        """Wait queue of senders that are blocked because the receive queue is full."""
        if self._senders is None:
            self._senders = WaitQueue(f"room at {self.title}")
            self.changed()
        return self._senders

    def changed(self) -> None:
        """Recompute `fast_net` (for the multicast fast path) and `rx_slow_path` (for recvmsg). Call this
        method after a change of the socket's binding, filter, options, pending error, congestion or dump.
        """
        self.fast_net = self.net if self.bound and self.filter is None and not self.congested else None
        blocked_senders = self.congested or self._senders is not None
        controls = self.flags & CONTROL or self.options
        self.rx_slow_path = bool(self.error or blocked_senders or controls or self.dump is not None)

    def loses(self, group: int) -> bool:
        """Return True if a fault point drops a message to the socket. The loss then has the same effects as a
        full queue. `group` is 0 for a unicast.
        """
        return False

    def accounts(self, nets: Iterable[Net]) -> tuple[str, int, int]:
        return "rmem", self.rmem, sum(skb.truesize for skb in self.queue or ())

    def after_receive(self) -> None:
        """If the queue is empty, end congestion. Wake blocked senders unless the socket is congested
        (`netlink_rcv_wake()`).
        """
        if not self.queue and self.congested:
            self.congested = False
            self.changed()
        if self._senders and not self.congested:
            self._senders.wake_up()

    def poll(self) -> int:
        """Return the poll events that are ready (`datagram_poll()`).

        POLLOUT is always set: a send waits only for the receiver's queue.
        """
        mask = POLLOUT | POLLWRNORM | POLLWRBAND
        if self.error:
            mask |= POLLERR | (POLLPRI if self.option(SO_SELECT_ERR_QUEUE) else 0)
        if self.queue:
            mask |= POLLIN | POLLRDNORM
        return mask


class Inbound:
    """A datagram from a program to the kernel. The kernel handles the datagram immediately, in the context of
    the sending program.

    `sender` is the socket and `task` the caller. `claim` holds the credentials that the caller passed
    (SCM_CREDENTIALS), or None for the task's own. `addressed`: sendmsg had a destination address
    (NETLINK_SKB_DST).
    """

    # INLINE: simkernel.kernel.netlink.sock.Inbound.__init__, saves 1.9 % of round-trip
    __slots__ = ("addressed", "claim", "data", "sender", "task")

    addressed: bool
    claim: Creds | None
    data: bytes
    sender: NetlinkSock
    task: Task

    @property
    def portid(self) -> int:
        """Port id of the sending socket."""
        return self.sender.portid

    @property
    def creds(self) -> Creds:
        """Credentials of the datagram: those in SCM_CREDENTIALS, or the sending task's own if sendmsg passed
        none.
        """
        return self.claim or own_creds(self.task)


Input = Callable[[Inbound], Awaitable[None] | None]
"""Function that handles a datagram sent to port id 0. It returns an awaitable if it must sleep."""
Bind = Callable[["Net", "Task", int], None]
"""Function called before a task joins a group. It raises OSError to refuse the membership."""
Unbind = Callable[["Net", int], None]
Release = Callable[[NetlinkSock], None]


class ProtocolEntry:
    """State of one protocol (`struct netlink_table`).

    `registered` is the number of kernel sockets of the protocol. `members` holds the member sockets of
    each group, the latest subscriber first: Linux's `mc_list` has that order for all groups.
    """

    __slots__ = (
        "_stamp",
        "bind",
        "flags",
        "groups",
        "members",
        "number",
        "owner",
        "registered",
        "release",
        "subscribers",
        "unbind",
    )

    def __init__(self, number: int) -> None:
        self.number = number
        self.registered = 0
        self.members: dict[int, list[NetlinkSock]] = {}
        self.subscribers = 0
        self._stamp = 0
        self.groups = 0
        self.clear()

    def clear(self) -> None:
        """Clear the settings of the protocol after its last kernel socket was closed."""
        self.owner: Owner | None = None
        self.flags = 0
        self.bind: Bind | None = None
        self.unbind: Unbind | None = None
        self.release: Release | None = None

    def update(self, sock: NetlinkSock, groups: int) -> None:
        """Make `sock` a member of exactly the groups in the mask `groups` (`netlink_update_subscriptions()`).

        A socket enters `mc_list` when it joins its first group, and leaves it with its last group.
        """
        old = sock.groups
        if not old and groups:
            self._stamp -= 1
            sock.stamp = self._stamp
            self.subscribers += 1
        for group in group_numbers(old & ~groups):
            members = self.members[group]
            del members[bisect_left(members, sock.stamp, key=_stamp)]
        for group in group_numbers(groups & ~old):
            insort(self.members.setdefault(group, []), sock, key=_stamp)
        if old and not groups:
            self.subscribers -= 1
        sock.groups = groups

    def clear_members(self, group: int) -> None:
        """Remove all members of `group` (`__netlink_clear_multicast_users()`)."""
        for sock in tuple(self.members.get(group, ())):
            self.update(sock, sock.groups & ~(1 << (group - 1)))


def _stamp(sock: NetlinkSock) -> int:
    return sock.stamp


def group_numbers(mask: int) -> list[int]:
    """Return the group numbers in a mask, ascending. The lowest bit is group 1."""
    groups = []
    while mask:
        low = mask & -mask
        groups.append(low.bit_length())
        mask ^= low
    return groups


class PortTable(dict[int, NetlinkSock]):
    """Programs' sockets of one protocol in one namespace, by port id (`netlink_lookup()`).

    `input` handles what is sent to port id 0. It is None if the protocol has no kernel socket in the
    namespace. `pending` are requests whose handler sleeps.
    """

    __slots__ = ("input", "pending")

    def __init__(self) -> None:
        super().__init__()
        self.input: Input | None = None
        self.pending: list[Inbound] = []

    def insert(self, portid: int, sock: NetlinkSock) -> None:
        """Assign `portid` to `sock`. Raise EADDRINUSE if another socket has it."""
        if portid in self:
            raise os_error(EADDRINUSE)
        self[portid] = sock

    def remove(self, portid: int, sock: NetlinkSock) -> None:
        """Remove `portid` if it belongs to `sock`."""
        if self.get(portid) is sock:
            del self[portid]


PORTS: Final[PernetSlot[dict[int, PortTable]]] = PernetSlot(dict)
"""Port id tables of each namespace, by protocol number."""


class Source(Protocol):
    """The sender of a multicast: a program's socket or a kernel socket."""

    is_kernel: ClassVar[bool]

    @property
    def netlink(self) -> NetlinkContext: ...
    @property
    def net(self) -> Net: ...
    @property
    def entry(self) -> ProtocolEntry: ...
