"""Port ids and groups: bind(2), connect(2) and the choice of a port id (af_netlink.c)."""

from __future__ import annotations

from typing import Final

from simkernel.kernel.netlink.sock import NONROOT_RECV, NONROOT_SEND, NetlinkSock, group_numbers
from simkernel.kernel.vfs.socket import Address
from simkernel.kernel.vfs.task import Task
from simkernel.uapi.capability import CAP_NET_ADMIN
from simkernel.uapi.errno import EINVAL, ENOENT, EPERM, os_error
from simkernel.uapi.netlink import SockaddrNl
from simkernel.uapi.socket import AF_NETLINK, AF_UNSPEC
from simkernel.uapi.structure import U16

MAX_SOCKADDR: Final = 128
"""Bytes of the longest sockaddr (struct sockaddr_storage, `move_addr_to_kernel()`)."""
S32_MIN: Final = -(2**31)
FIRST_NEGATIVE: Final = -4096
"""Port ids that autobind chooses are below this."""


def parse(address: Address) -> tuple[int, int]:
    """Port id and groups.  EINVAL for bytes that are too few, or of another family."""
    if isinstance(address, tuple):
        return address
    if not SockaddrNl.SIZE <= len(address) <= MAX_SOCKADDR:
        raise os_error(EINVAL)
    family, _, portid, groups = SockaddrNl.LAYOUT.unpack_from(address)
    if family != AF_NETLINK:
        raise os_error(EINVAL)
    return portid, groups


def group_mask(group: int) -> int:
    """A group's bit in the mask of an address; none for a group above 32 (`netlink_group_mask()`)."""
    return 1 << (group - 1) if 0 < group <= 32 else 0


def lowest_group(mask: int) -> int:
    """The group that a mask stands for where only one is taken: the lowest, 0 if none (ffs())."""
    return (mask & -mask).bit_length()


def allowed(sock: NetlinkSock, task: Task, flag: int) -> bool:
    """Whether the protocol allows it without privilege, or the caller has it (`netlink_allowed()`)."""
    return bool(sock.entry.flags & flag) or task.credentials.capable(CAP_NET_ADMIN)


def realloc_groups(sock: NetlinkSock) -> None:
    """Grow the socket's mask to the protocol's number of groups (`netlink_realloc_groups()`).

    ENOENT if the protocol is not registered any more.
    """
    if not sock.entry.registered:
        raise os_error(ENOENT)
    sock.group_count = max(sock.group_count, sock.entry.groups)


def bind(sock: NetlinkSock, task: Task, address: Address) -> None:
    """Take a port id unless there is one, and set the first 32 groups (`netlink_bind()`).

    EPERM for groups without privilege, EINVAL for another port id than it has, EADDRINUSE.
    """
    portid, groups = parse(address)
    if groups:
        if not allowed(sock, task, NONROOT_RECV):
            raise os_error(EPERM)
        realloc_groups(sock)
    groups &= (1 << sock.group_count) - 1
    if sock.bound and portid != sock.portid:
        raise os_error(EINVAL)
    joined = _join(sock, task, groups)
    try:
        if not sock.bound:
            if portid:
                insert(sock, portid)
            else:
                autobind(sock, task)
    except OSError:
        leave(sock, joined)
        raise
    if groups or sock.groups & 0xFFFFFFFF:
        sock.entry.update(sock, sock.groups & ~0xFFFFFFFF | groups)


def _join(sock: NetlinkSock, task: Task, groups: int) -> list[int]:
    """Call the protocol's `bind` for each group; undo the earlier ones if it refuses one."""
    joined: list[int] = []
    if sock.entry.bind is not None:
        for group in group_numbers(groups):
            try:
                sock.entry.bind(sock.net, task, group)
            except OSError:
                leave(sock, joined)
                raise
            joined.append(group)
    return joined


def leave(sock: NetlinkSock, groups: list[int]) -> None:
    """Call the protocol's `unbind` for each group (`netlink_undo_bind()`)."""
    if sock.entry.unbind is not None:
        for group in groups:
            sock.entry.unbind(sock.net, group)


def insert(sock: NetlinkSock, portid: int) -> None:
    """Give the socket a port id (`netlink_insert()`).

    EADDRINUSE if it is taken; the socket shows it all the same, but is not bound.
    """
    netlink = sock.netlink
    netlink.engine.charged += netlink.costs.socket_bind
    sock.portid = portid
    sock.ports.insert(portid, sock)
    sock.bound = True
    sock.changed()


def autobind(sock: NetlinkSock, task: Task) -> None:
    """Choose a port id: the process's number, else a negative one by chance (`netlink_autobind()`)."""
    portid = task.tgid
    rover = FIRST_NEGATIVE
    while sock.ports.get(portid) is not None:
        if rover == FIRST_NEGATIVE:
            rover = S32_MIN + sock.netlink.random.randrange(FIRST_NEGATIVE - S32_MIN)
        portid = rover & 0xFFFFFFFF
        rover = rover - 1 if rover > S32_MIN else FIRST_NEGATIVE - 1
    insert(sock, portid)


def connect(sock: NetlinkSock, task: Task, address: Address) -> None:
    """Set, or with AF_UNSPEC forget, where messages go by default (`netlink_connect()`).

    EPERM for anything but the kernel without privilege.  It gives the socket a port id.
    """
    if _is_unspecified(address):
        sock.connected = False
        sock.destination = sock.destination_group = 0
        return
    portid, groups = parse(address)
    if (portid or groups) and not allowed(sock, task, NONROOT_SEND):
        raise os_error(EPERM)
    if not sock.bound:
        autobind(sock, task)
    sock.connected = True
    sock.destination = portid
    sock.destination_group = lowest_group(groups)


def _is_unspecified(address: Address) -> bool:
    if isinstance(address, tuple) or not U16.size <= len(address) <= MAX_SOCKADDR:
        return False
    return U16.unpack_from(address) == (AF_UNSPEC,)
