"""Socket options of level SOL_NETLINK (`netlink_setsockopt()`, `netlink_getsockopt()`)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from simkernel.kernel.netlink.address import allowed, realloc_groups
from simkernel.kernel.netlink.sock import FLAGS, NONROOT_RECV, NetlinkSock
from simkernel.kernel.vfs.task import Task
from simkernel.uapi import netlink as nl
from simkernel.uapi.capability import CAP_NET_BROADCAST
from simkernel.uapi.errno import EINVAL, ENOPROTOOPT, EPERM, os_error
from simkernel.uapi.socket import SOL_NETLINK
from simkernel.uapi.structure import S32, U32

Setter = Callable[[NetlinkSock, "Task", int], None]


def set_option(sock: NetlinkSock, task: Task, level: int, option: int, value: bytes) -> None:
    """Set an option of level SOL_NETLINK (setsockopt(2)). A value shorter than 4 bytes is read as 0."""
    if level != SOL_NETLINK:
        raise os_error(ENOPROTOOPT)
    number = U32.unpack_from(value)[0] if len(value) >= U32.size else 0
    if (setter := _SETTERS.get(option)) is not None:
        setter(sock, task, number)
    if option in FLAGS:
        sock.flags = sock.flags | 1 << option if number else sock.flags & ~(1 << option)
        sock.changed()
    elif setter is None:
        raise os_error(ENOPROTOOPT)


def get_option(sock: NetlinkSock, level: int, option: int, length: int) -> bytes:
    """Return the value of an option of level SOL_NETLINK (getsockopt(2)). The length of the result is the
    `optlen` that the call reports.
    """
    if level != SOL_NETLINK:
        raise os_error(ENOPROTOOPT)
    if length < 0:
        raise os_error(EINVAL)
    if option == nl.NETLINK_LIST_MEMBERSHIPS:
        return _memberships(sock, length)
    if option not in FLAGS:
        raise os_error(ENOPROTOOPT)
    if length < S32.size:
        raise os_error(EINVAL)
    return S32.pack(sock.flags >> option & 1)


def _memberships(sock: NetlinkSock, length: int) -> bytes:
    """Return a bit mask of the groups that the socket has joined, as 32-bit words. The mask has one bit for
    each group of the socket's protocol.

    The length is always that of the whole mask. Words that do not fit into `length` bytes are returned as
    0.
    """
    size = (sock.group_count + 31) // 32 * 4
    copied = min(length, size) // 4 * 4
    return sock.groups.to_bytes(size, "little")[:copied] + bytes(size - copied)


def _add_membership(sock: NetlinkSock, task: Task, group: int) -> None:
    _check_group(sock, task, group)
    if sock.entry.bind is not None:
        sock.entry.bind(sock.net, task, group)
    sock.entry.update(sock, sock.groups | 1 << (group - 1))


def _drop_membership(sock: NetlinkSock, task: Task, group: int) -> None:
    """Leave a group. It is no error if the socket is not a member."""
    _check_group(sock, task, group)
    sock.entry.update(sock, sock.groups & ~(1 << (group - 1)))
    if sock.entry.unbind is not None:
        sock.entry.unbind(sock.net, group)


def _check_group(sock: NetlinkSock, task: Task, group: int) -> None:
    if not allowed(sock, task, NONROOT_RECV):
        raise os_error(EPERM)
    realloc_groups(sock)
    if not 0 < group <= sock.group_count:
        raise os_error(EINVAL)


def _no_enobufs(sock: NetlinkSock, task: Task, value: int) -> None:
    """Handle NETLINK_NO_ENOBUFS. If `value` is not 0, end the socket's congestion and wake blocked
    senders.
    """
    if value:
        sock.congested = False
        sock.changed()
        if sock._senders:
            sock._senders.wake_up()


def _listen_all_nsid(sock: NetlinkSock, task: Task, value: int) -> None:
    if not task.credentials.capable(CAP_NET_BROADCAST):
        raise os_error(EPERM)


_SETTERS: Final[dict[int, Setter]] = {
    nl.NETLINK_ADD_MEMBERSHIP: _add_membership,
    nl.NETLINK_DROP_MEMBERSHIP: _drop_membership,
    nl.NETLINK_NO_ENOBUFS: _no_enobufs,
    nl.NETLINK_LISTEN_ALL_NSID: _listen_all_nsid,
}
