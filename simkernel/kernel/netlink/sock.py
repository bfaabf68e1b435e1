"""Netlink's data structures: sockets, and the tables that hold them (net/netlink/af_netlink.h).

Linux has one table entry for each protocol of the machine (`nl_table`), with a hash of port ids over
all namespaces.  Here a table of port ids belongs to a namespace (`PORTS`), and the entry has the rest.
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
"""Bits of `NetlinkSock.flags`."""

FLAGS: Final = frozenset(
    flag.bit_length() - 1
    for flag in (PKTINFO, BROADCAST_ERROR, NO_ENOBUFS, LISTEN_ALL_NSID, CAP_ACK, EXT_ACK, STRICT_CHK)
)
"""Options that are on or off."""

CONTROL: Final = PKTINFO | LISTEN_ALL_NSID
"""Flags that add control messages to a receive."""

NONROOT_RECV: Final = 1
"""Joining groups needs no privilege (NL_CFG_F_NONROOT_RECV)."""
NONROOT_SEND: Final = 2
"""Sending to port ids and groups needs no privilege (NL_CFG_F_NONROOT_SEND)."""

MIN_GROUPS: Final = 32
"""Groups that every protocol has at least."""


class RunningDump(Protocol):
    """A dump that a socket's reader has not read to its end."""

    @property
    def inbound(self) -> Inbound:
        """The request that it answers."""

    def resume(self) -> None:
        """Queue the next datagram; the reader has made room."""

    def close(self) -> None:
        """End the dump before it is complete."""


class NetlinkSock(Sock):
    """The state of a program's netlink socket (`struct netlink_sock`).

    `portid` is shown from the first attempt to bind, `bound` says whether it is really its own.
    `groups` is a mask of its groups and `group_count` how many it has room for; `stamp` orders it among
    the subscribers of its protocol.  `flags` are the options of level SOL_NETLINK.  `plain` is its
    namespace if nothing but a full queue keeps out multicasts sent there.
    `rx_slow_path`: recvmsg must also handle errors, control messages, a dump or blocked senders.
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
        "queue",
        "rmem",
        "rx_slow_path",
        "stamp",
    )

    lossy: ClassVar[bool] = False
    """True for a socket that `loses` messages at a fault point."""

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
        self.queue: deque[Skb] | None = None  # made for the first message: most sockets idle
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
        self.plain: Net | None = None
        self.rx_slow_path = False
        self.largest_receive = 0
        self.dump: RunningDump | None = None
        self._senders: WaitQueue | None = None

    def __repr__(self) -> str:
        return f"<{self.title}>"

    @property
    def title(self) -> str:
        """Its name in lists of sleeping tasks."""
        return f"netlink protocol {self.protocol}, port id {self.portid}"

    @property
    def senders(self) -> WaitQueue:
        """Senders that wait for room in its queue."""
        if self._senders is None:
            self._senders = WaitQueue(f"room at {self.title}")
            self.changed()
        return self._senders

    def changed(self) -> None:
        """Recompute `plain` and `rx_slow_path` after any of their inputs has changed."""
        self.plain = self.net if self.bound and self.filter is None and not self.congested else None
        blocked_senders = self.congested or self._senders is not None
        controls = self.flags & CONTROL or self.options
        self.rx_slow_path = bool(self.error or blocked_senders or controls or self.dump is not None)

    def loses(self, group: int) -> bool:
        """Return True if a message of `group` (0: to its port id) is lost as if its queue were full."""
        return False

    def accounts(self, nets: Iterable[Net]) -> tuple[str, int, int]:
        return "rmem", self.rmem, sum(skb.truesize for skb in self.queue or ())

    def after_receive(self) -> None:
        """End congestion once the queue is empty, and wake senders (`netlink_rcv_wake()`)."""
        if not self.queue and self.congested:
            self.congested = False
            self.changed()
        if self._senders and not self.congested:
            self._senders.wake_up()

    def poll(self) -> int:
        """Events that hold now (`datagram_poll()`).  Sending never waits for the sender's own memory."""
        mask = POLLOUT | POLLWRNORM | POLLWRBAND
        if self.error:
            mask |= POLLERR | (POLLPRI if self.option(SO_SELECT_ERR_QUEUE) else 0)
        if self.queue:
            mask |= POLLIN | POLLRDNORM
        return mask


class Inbound:
    """A datagram from a program to the kernel, which reads it at once and in that program's context.

    `sender` is the socket it was sent from and `task` the caller.  `claim` holds the credentials that it
    claims, None for the task's own; `addressed`: sendmsg named a destination (NETLINK_SKB_DST).
    """

    # INLINE: simkernel.kernel.netlink.sock.Inbound.__init__, 1.9 % of round-trip
    __slots__ = ("addressed", "claim", "data", "sender", "task")

    addressed: bool
    claim: Creds | None
    data: bytes
    sender: NetlinkSock
    task: Task

    @property
    def portid(self) -> int:
        """Port id of the sender."""
        return self.sender.portid

    @property
    def creds(self) -> Creds:
        """The credentials that it bears."""
        return self.claim or own_creds(self.task)


Input = Callable[[Inbound], Awaitable[None] | None]
"""Reads what a program sends to port id 0, in that program's context; awaitable if it must sleep."""
Bind = Callable[["Net", "Task", int], None]
"""Called before a task joins a group; OSError refuses."""
Unbind = Callable[["Net", int], None]
Release = Callable[[NetlinkSock], None]


class ProtocolEntry:
    """One protocol (`struct netlink_table`).

    `registered` counts the kernel's sockets of it.  `members` has for each group its sockets, the
    one that subscribed last first: `mc_list` is in that order, whatever the group.
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
        """Forget the rules of the kernel's last socket, which is gone."""
        self.owner: Owner | None = None
        self.flags = 0
        self.bind: Bind | None = None
        self.unbind: Unbind | None = None
        self.release: Release | None = None

    def update(self, sock: NetlinkSock, groups: int) -> None:
        """Make `sock` a member of the groups that are bits of `groups`, and of no others.

        `netlink_update_subscriptions()`: a socket enters `mc_list` with its first group and leaves
        it with its last.
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
        """Remove every member of `group` (`__netlink_clear_multicast_users()`)."""
        for sock in tuple(self.members.get(group, ())):
            self.update(sock, sock.groups & ~(1 << (group - 1)))


def _stamp(sock: NetlinkSock) -> int:
    return sock.stamp


def group_numbers(mask: int) -> list[int]:
    """The numbers of the groups in a mask, from 1, ascending."""
    groups = []
    while mask:
        low = mask & -mask
        groups.append(low.bit_length())
        mask ^= low
    return groups


class PortTable(dict[int, NetlinkSock]):
    """Sockets of programs by port id, of one protocol in one namespace (`netlink_lookup()`).

    `input` reads what is sent to port id 0, None if the kernel does not serve the protocol there.
    `pending` are requests whose handler sleeps.
    """

    __slots__ = ("input", "pending")

    def __init__(self) -> None:
        super().__init__()
        self.input: Input | None = None
        self.pending: list[Inbound] = []

    def insert(self, portid: int, sock: NetlinkSock) -> None:
        """Give `portid` to `sock`.  EADDRINUSE if another socket has it."""
        if portid in self:
            raise os_error(EADDRINUSE)
        self[portid] = sock

    def remove(self, portid: int, sock: NetlinkSock) -> None:
        """Take `portid` from `sock`, if it has it."""
        if self.get(portid) is sock:
            del self[portid]


PORTS: Final[PernetSlot[dict[int, PortTable]]] = PernetSlot(dict)
"""Port ids of a namespace, by protocol."""


class Source(Protocol):
    """The sender of a multicast: a program's socket or the kernel's."""

    is_kernel: ClassVar[bool]

    @property
    def netlink(self) -> NetlinkContext: ...
    @property
    def net(self) -> Net: ...
    @property
    def entry(self) -> ProtocolEntry: ...
