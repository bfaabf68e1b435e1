"""Port ids and groups: bind(2), connect(2) and automatic port ids (af_netlink.c)."""

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
"""Maximum length of a socket address in bytes (struct sockaddr_storage, `move_addr_to_kernel()`)."""
S32_MIN: Final = -(2**31)
FIRST_NEGATIVE: Final = -4096
"""Upper limit of the port ids that autobind chooses at random."""


def parse(address: Address) -> tuple[int, int]:
    """Return port id and groups of an address. Raise EINVAL for a wrong length or address family."""
    if isinstance(address, tuple):
        return address
    if not SockaddrNl.SIZE <= len(address) <= MAX_SOCKADDR:
        raise os_error(EINVAL)
    family, _, portid, groups = SockaddrNl.LAYOUT.unpack_from(address)
    if family != AF_NETLINK:
        raise os_error(EINVAL)
    return portid, groups


def group_mask(group: int) -> int:
    """Return a group mask that contains only the group `group`, or 0 if the number `group` is not from 1 to
    32 (`netlink_group_mask()`).
    """
    return 1 << (group - 1) if 0 < group <= 32 else 0


def lowest_group(mask: int) -> int:
    """Return the number of the lowest group in a mask, or 0 if the mask is empty (ffs()).

    It is used where an address selects a single group.
    """
    return (mask & -mask).bit_length()


def allowed(sock: NetlinkSock, task: Task, flag: int) -> bool:
    """Return True if the protocol permits the operation without privilege (`flag` is set), or if the task has
    CAP_NET_ADMIN (`netlink_allowed()`).

    `flag` is NONROOT_RECV or NONROOT_SEND.
    """
    return bool(sock.entry.flags & flag) or task.credentials.capable(CAP_NET_ADMIN)


def realloc_groups(sock: NetlinkSock) -> None:
    """Extend the socket's group mask to the protocol's number of groups (`netlink_realloc_groups()`).

    Raise ENOENT if the protocol has been unregistered.
    """
    if not sock.entry.registered:
        raise os_error(ENOENT)
    sock.group_count = max(sock.group_count, sock.entry.groups)


def bind(sock: NetlinkSock, task: Task, address: Address) -> None:
    """Assign a port id if the socket has none, and set the socket's memberships in the first 32 groups to the
    mask of the address (`netlink_bind()`).

    Raise EPERM if the task may not join groups, EINVAL if the socket is bound to another port id,
    EADDRINUSE if the port id is in use.
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
    """Call the protocol's function `bind` for each group, before the socket joins the groups. If `bind`
    raises an error for a group, call `unbind` for the groups before it and raise the error again.
    """
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
    """Call the protocol's function `unbind` for each group that a socket leaves (`netlink_undo_bind()`)."""
    if sock.entry.unbind is not None:
        for group in groups:
            sock.entry.unbind(sock.net, group)


def insert(sock: NetlinkSock, portid: int) -> None:
    """Bind the socket to a port id (`netlink_insert()`).

    Raise EADDRINUSE if the port id is in use. As on Linux, getsockname(2) shows the id even then.
    """
    netlink = sock.netlink
    netlink.engine.charged += netlink.costs.socket_bind
    sock.portid = portid
    sock.ports.insert(portid, sock)
    sock.bound = True
    sock.changed()


def autobind(sock: NetlinkSock, task: Task) -> None:
    """Choose a port id for the socket: the task's tgid or, if that is in use, a random negative id
    (`netlink_autobind()`).
    """
    portid = task.tgid
    rover = FIRST_NEGATIVE
    while sock.ports.get(portid) is not None:
        if rover == FIRST_NEGATIVE:
            rover = S32_MIN + sock.netlink.random.randrange(FIRST_NEGATIVE - S32_MIN)
        portid = rover & 0xFFFFFFFF
        rover = rover - 1 if rover > S32_MIN else FIRST_NEGATIVE - 1
    insert(sock, portid)


def connect(sock: NetlinkSock, task: Task, address: Address) -> None:
    """Set the socket's default destination, or clear the destination if the address family is AF_UNSPEC
    (`netlink_connect()`).

    An unbound socket is bound to a port id. Raise EPERM if an unprivileged task addresses another program.
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
