"""/proc/net: the sockets and network devices of a namespace."""

from __future__ import annotations

import contextlib
import re

from simkernel.uapi.netlink import NETLINK_KOBJECT_UEVENT, message
from simkernel.uapi.rtnetlink import RTM_GETLINK, IfInfoMsg
from simkernel.uapi.socket import AF_UNIX, MSG_DONTWAIT, SO_RCVBUF, SOCK_DGRAM, SOCK_STREAM, SOL_SOCKET
from tests.conformance import wire
from tests.conformance.case import case, netlink
from tests.conformance.log import Log
from tests.conformance.wire import (
    ADD_MEMBERSHIP,
    DROP_MEMBERSHIP,
    DUMP,
    NO_ENOBUFS,
    REQUEST,
    SOL_NETLINK,
    ctrl,
    nlmsg,
)
from tests.conformance.world import World

A, B = 0x50000001, 0x50000002
FILE = ("files",)
COMMON_PROTOCOLS = frozenset({wire.ROUTE, wire.USERSOCK, NETLINK_KOBJECT_UEVENT, wire.GENERIC})
"""Protocols that every kernel has. The other protocols depend on the kernel's configuration."""
LINE = re.compile(r"[0-9a-f]{16} (.*) (\d+ *)")
"""A line of /proc/net/netlink: the address of the socket, other fields, and the inode number with the spaces
after it.
"""


def record_netlink(label: str, world: World, log: Log, *protocols: int) -> None:
    """Record /proc/net/netlink with the widths of its columns, but without the sockets' addresses and inode
    numbers.

    The kernel lists the sockets of a protocol in the order of its hash table, the case by port id.
    """
    header, *lines = world.read_file("/proc/net/netlink").decode().splitlines()
    shown = []
    for line in lines:
        found = LINE.fullmatch(line)
        fields = found[1].split() if found else []
        if not found or int(fields[0]) in (protocols or COMMON_PROTOCOLS):
            inode = len(found[2]) if found else 0
            order = (int(fields[0]), int(fields[1])) if found else (-1, 0)
            shown.append((order, f"<sk> {found[1]} <{inode}>" if found else line))
    log(label, [header, *(line for _, line in sorted(shown))])


@case(marks=FILE)
def the_kernels_own(world: World, log: Log) -> None:
    """/proc/net/netlink of a new namespace lists one kernel socket per protocol, with port id 0."""
    record_netlink("new", world, log)


@case(marks=FILE)
def bound(world: World, log: Log) -> None:
    """/proc/net/netlink lists a socket as long as it is bound to a port id."""
    a, b = netlink(world, wire.USERSOCK), netlink(world, wire.GENERIC)
    record_netlink("unbound", world, log)
    a.bind((A, 0))
    b.bind((0xC0000001, 0))
    record_netlink("bound", world, log)
    a.close()
    record_netlink("one closed", world, log)


@case(marks=("files", "dup"))
def duplicates(world: World, log: Log) -> None:
    """/proc/net/netlink lists a socket only once, even if it has several descriptors. The line disappears
    when the last descriptor is closed.
    """
    a = netlink(world, wire.USERSOCK, bind=(A, 0))
    other = world.dup(a)
    record_netlink("two descriptors", world, log, wire.USERSOCK)
    a.close()
    record_netlink("one", world, log, wire.USERSOCK)
    other.close()
    record_netlink("none", world, log, wire.USERSOCK)


@case(marks=FILE)
def groups(world: World, log: Log) -> None:
    """/proc/net/netlink shows a socket's memberships as a mask of the groups 1 to 32."""
    one, other = (netlink(world, wire.GENERIC, bind=each) for each in ((A, 0x80000001), (B, 0)))
    other.setsockopt(SOL_NETLINK, ADD_MEMBERSHIP, 2)
    record_netlink("some", world, log, wire.GENERIC)
    one.setsockopt(SOL_NETLINK, DROP_MEMBERSHIP, 32)
    record_netlink("one less", world, log, wire.GENERIC)


@case(privileged=True, marks=FILE)
def groups_above_32(world: World, log: Log) -> None:
    """/proc/net/netlink does not show groups above 32."""
    route = netlink(world, wire.ROUTE, bind=(A, 1))
    route.setsockopt(SOL_NETLINK, ADD_MEMBERSHIP, 33)
    record_netlink("1 and 33", world, log, wire.ROUTE)


@case(marks=("files", "exact_truesize"))
def queued(world: World, log: Log) -> None:
    """/proc/net/netlink shows the truesize of the messages in a socket's receive queue."""
    a, b = netlink(world, wire.USERSOCK, bind=(A, 0)), netlink(world, wire.USERSOCK, bind=(B, 0))
    for size in (1, 100, 1000, 5000):
        a.sendto(bytes(size), (B, 0))
        record_netlink(f"{size} bytes more", world, log, wire.USERSOCK)
    while log.recv("recv", b, 1) is not None:
        record_netlink("one less", world, log, wire.USERSOCK)


@case(privileged=True, marks=FILE)
def drops(world: World, log: Log) -> None:
    """The column Drops counts messages that did not fit in the receive buffer, even with
    NETLINK_NO_ENOBUFS.
    """
    a = netlink(world, wire.USERSOCK, bind=(A, 0))
    listeners = [netlink(world, wire.USERSOCK, bind=(B + each, 1)) for each in range(2)]
    listeners[1].setsockopt(SOL_NETLINK, NO_ENOBUFS, 1)
    for listener in listeners:
        listener.setsockopt(SOL_SOCKET, SO_RCVBUF, 4096)
    for count in (3, 10, 10):
        for _ in range(count):
            with contextlib.suppress(OSError):
                a.sendto(bytes(500), (0, 1))
        record_netlink(f"{count} more", world, log, wire.USERSOCK)
    for listener in listeners:
        log.recv("recv", listener, 4)
        log.recv("recv", listener, 4)
    record_netlink("after", world, log, wire.USERSOCK)


@case(marks=FILE)
def unicast_drops_nothing(world: World, log: Log) -> None:
    """A unicast send that fails with EAGAIN does not increment the column Drops."""
    a, b = netlink(world, wire.USERSOCK, bind=(A, 0)), netlink(world, wire.USERSOCK, bind=(B, 0))
    b.setsockopt(SOL_SOCKET, SO_RCVBUF, 4096)
    a.setblocking(False)
    for _ in range(20):
        try:
            a.sendto(bytes(500), (B, 0))
        except BlockingIOError as error:
            log("full", error)
            break
    record_netlink("full", world, log, wire.USERSOCK)


@case(marks=("files", "exact_truesize"))
def dump(world: World, log: Log) -> None:
    """/proc/net/netlink shows a dump of links as running until its last message is read."""
    sock = netlink(world, wire.ROUTE, bind=(A, 0))
    sock.send(message(RTM_GETLINK, IfInfoMsg().pack(), flags=REQUEST | DUMP))
    record_netlink("asked", world, log, wire.ROUTE)
    sock.recv(1 << 16)
    record_netlink("one part read", world, log, wire.ROUTE)
    sock.recv(1 << 16)
    record_netlink("all read", world, log, wire.ROUTE)


@case(marks=FILE)
def dump_of_families(world: World, log: Log) -> None:
    """/proc/net/netlink does not show a dump of few families as running, because one datagram contains the
    whole dump.
    """
    sock = netlink(world, wire.GENERIC, bind=(A, 0))

    def under_way() -> bool:
        lines = world.read_file("/proc/net/netlink").decode().splitlines()
        return next(line.split()[6] == "1" for line in lines if line.split()[2] == str(A))

    log("before", under_way())
    sock.send(ctrl(wire.CTRL_GETFAMILY, flags=REQUEST | DUMP))
    log("asked", under_way())
    with contextlib.suppress(BlockingIOError):
        while sock.recv(1 << 16, MSG_DONTWAIT):
            pass
    log("read", under_way())


@case(privileged=True, marks=("files", "namespaces"))
def of_each_namespace(world: World, log: Log) -> None:
    """/proc/net/netlink lists only the sockets of its own network namespace."""
    other = world.namespace()
    sockets = netlink(world, wire.USERSOCK, bind=(A, 0)), netlink(other, wire.USERSOCK, bind=(B, 1))
    record_netlink("here", world, log, wire.USERSOCK)
    record_netlink("there", other, log, wire.USERSOCK)
    for sock in sockets:
        sock.close()
    record_netlink("closed", world, log, wire.USERSOCK)


@case(marks=FILE)
def an_answer(world: World, log: Log) -> None:
    """The receive memory in /proc/net/netlink includes the kernel's replies that are still queued."""
    sock = netlink(world, wire.GENERIC, bind=(A, 0))
    sock.send(nlmsg(wire.NOOP, REQUEST | wire.ACK))
    sock.send(nlmsg(wire.NOOP, REQUEST | wire.ACK))
    record_netlink("two answers", world, log, wire.GENERIC)


# -- devices and unix sockets --------------------------------------------------------


@case(marks=FILE)
def devices(world: World, log: Log) -> None:
    """/proc/net/dev of a new namespace lists only `lo`, with all counters 0."""
    log("dev", world.read_file("/proc/net/dev").decode().splitlines())


def record_unix(label: str, world: World, log: Log) -> None:
    """Record /proc/net/unix sorted by name, without addresses and inode numbers of sockets.

    The kernel lists the sockets in the order of its hash table.
    """
    header, *lines = world.read_file("/proc/net/unix").decode().splitlines()
    shown = []
    for line in lines:
        found = re.fullmatch(r"([0-9a-f]{16}: .{34}) ( *\d+)(| .*)", line)
        inode = "free" if found and found[2].strip() == "0" else "inode"
        shown.append(f"{found[1][18:]} {inode}{found[3]}" if found else line)
    log(label, [header, *sorted(shown)])


@case(marks=FILE)
def unix_sockets(world: World, log: Log) -> None:
    """/proc/net/unix lists each unix socket with its references, state and name."""
    record_unix("none", world, log)
    one = world.socket(AF_UNIX, SOCK_STREAM, 0)
    other = world.socket(AF_UNIX, SOCK_DGRAM, 0)
    record_unix("unnamed", world, log)
    one.bind(b"\0simkernel \0 one")
    other.bind(b"\0simkernel other")
    record_unix("abstract names", world, log)
    one.close()
    record_unix("one closed", world, log)


@case(marks=FILE)
def unix_connections(world: World, log: Log) -> None:
    """A connected unix socket is referenced by its peer. The server side of a connection has no inode number
    before accept().
    """
    listener, *clients = (world.socket(AF_UNIX, SOCK_STREAM, 0) for _ in range(3))
    listener.bind(b"\0simkernel stream")
    listener.listen(5)
    record_unix("listening", world, log)
    for client in clients:
        client.connect(b"\0simkernel stream")
    record_unix("connecting", world, log)
    accepted, _ = listener.accept()
    record_unix("accepted", world, log)
    accepted.close()
    record_unix("closed", world, log)


@case(marks=FILE)
def unix_datagrams(world: World, log: Log) -> None:
    """A unix datagram socket is referenced by each sender that is connected to it."""
    receiver, *senders = (world.socket(AF_UNIX, SOCK_DGRAM, 0) for _ in range(4))
    receiver.bind(b"\0simkernel datagrams")
    for sender in senders:
        sender.connect(b"\0simkernel datagrams")
        sender.send(b"data")
    record_unix("connected", world, log)
    senders[0].close()
    receiver.close()
    record_unix("closed", world, log)
