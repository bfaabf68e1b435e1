"""The protocol table: which protocols there are, who is bound to what, who is in which group.

Linux has one table entry for each protocol of the machine (`nl_table`), with a hash of port ids over
all namespaces.  Here the port ids hang off the namespace (`Net.ports`), and the entry has the rest.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Protocol

from simkernel.uapi.errno import EADDRINUSE, os_error

if TYPE_CHECKING:
    from simkernel.kernel.net.namespace import Net
    from simkernel.kernel.netlink.kernel_socket import KernelSocket
    from simkernel.kernel.netlink.socket import NetlinkSocket
    from simkernel.kernel.vfs.task import Task

NONROOT_RECV: Final = 1
"""Anybody may join groups (NL_CFG_F_NONROOT_RECV)."""
NONROOT_SEND: Final = 2
"""Anybody may send to port ids and groups (NL_CFG_F_NONROOT_SEND)."""

LEAST_GROUPS: Final = 32

Bind = Callable[["Net", "Task", int], None]
"""Told of a group that a task is about to join; OSError keeps it out."""
Unbind = Callable[["Net", int], None]
Release = Callable[["NetlinkSocket"], None]


class Owner(Protocol):
    """The module that a protocol, a family or a dump belongs to, as far as netlink cares."""

    @property
    def name(self) -> str:
        """What it is called; tracepoints of its own work go to a track of that name."""

    def try_get(self) -> bool:
        """Keep it from being unloaded; False if it is on its way out (`try_module_get()`)."""

    def put(self) -> None:
        """End that (`module_put()`)."""


def get_owner(owner: Owner | None) -> bool:
    """`try_module_get()`; what is built in is always there."""
    return owner is None or owner.try_get()


def put_owner(owner: Owner | None) -> None:
    """`module_put()`."""
    if owner is not None:
        owner.put()


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
        self.members: dict[int, list[NetlinkSocket]] = {}
        self.subscribers = 0
        self._stamp = 0
        self.groups = 0
        self.clear()

    def clear(self) -> None:
        """What it is while nobody serves it."""
        self.owner: Owner | None = None
        self.flags = 0
        self.bind: Bind | None = None
        self.unbind: Unbind | None = None
        self.release: Release | None = None

    def update(self, sock: NetlinkSocket, groups: int) -> None:
        """Let `sock` be in the groups that are bits of `groups`, and in no others.

        `netlink_update_subscriptions()`: a socket enters `mc_list` with its first group and leaves
        it with its last.
        """
        old = sock.groups
        if not old and groups:
            self._stamp -= 1
            sock.stamp = self._stamp
            self.subscribers += 1
        for group in _bits(old & ~groups):
            members = self.members[group]
            del members[bisect_left(members, sock.stamp, key=_stamp)]
        for group in _bits(groups & ~old):
            insort(self.members.setdefault(group, []), sock, key=_stamp)
        if old and not groups:
            self.subscribers -= 1
        sock.groups = groups

    def clear_members(self, group: int) -> None:
        """Nobody is in `group` any more (`__netlink_clear_multicast_users()`)."""
        for sock in tuple(self.members.get(group, ())):
            self.update(sock, sock.groups & ~(1 << (group - 1)))


def _stamp(sock: NetlinkSocket) -> int:
    return sock.stamp


def _bits(mask: int) -> list[int]:
    """The numbers of the groups in a mask, from 1."""
    groups = []
    while mask:
        low = mask & -mask
        groups.append(low.bit_length())
        mask ^= low
    return groups


class PortTable(dict[int, "NetlinkSocket"]):
    """Which of the programs' sockets has which port id of a protocol in a namespace (`netlink_lookup()`).

    `users` counts those sockets, with and without a port id.  Port id 0 is `kernel`'s, if it is served.
    """

    __slots__ = ("kernel", "users")

    def __init__(self) -> None:
        super().__init__()
        self.kernel: KernelSocket | None = None
        self.users = 0

    def insert(self, portid: int, sock: NetlinkSocket) -> None:
        """Give `portid` to `sock`.  EADDRINUSE if somebody has it."""
        if portid in self:
            raise os_error(EADDRINUSE)
        self[portid] = sock

    def remove(self, portid: int, sock: NetlinkSocket) -> None:
        """Take `portid` from `sock`, if it has it."""
        if self.get(portid) is sock:
            del self[portid]
