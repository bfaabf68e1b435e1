"""The number of messages that fit in a receive buffer, which depends on their truesize in kernel memory.

The numbers follow from the sizes of the kernel's buffers (x86_64, Linux 6.18). A simulator that counts
only bytes gets different numbers.
"""

from __future__ import annotations

import contextlib
import struct

from simkernel.uapi.rtnetlink import RTM_GETLINK, IfInfoMsg
from simkernel.uapi.socket import MSG_DONTWAIT, MSG_PEEK, SO_MEMINFO, SO_RCVBUF, SO_SNDBUF, SOL_SOCKET
from tests.conformance import wire
from tests.conformance.case import case, netlink
from tests.conformance.log import Log
from tests.conformance.wire import ACK, ADD_MEMBERSHIP, DUMP, NO_ENOBUFS, REQUEST, SOL_NETLINK
from tests.conformance.world import Socket, World

A, B = 0x44000001, 0x44000002


def accepted(world: World, rcvbuf: int, size: int) -> int:
    """Return how many messages of `size` bytes fit in a receive buffer that is set to `rcvbuf`."""
    a = netlink(world, wire.USERSOCK, bind=(A, 0))
    b = netlink(world, wire.USERSOCK, bind=(B, 0))
    b.setsockopt(SOL_SOCKET, SO_RCVBUF, rcvbuf)
    count = 0
    while count < 2000:
        try:
            a.sendto(bytes(size), MSG_DONTWAIT, (B, 0))
        except BlockingIOError:
            break
        count += 1
    a.close()
    b.close()
    return count


@case(marks=("exact_truesize",))
def unicast_small(world: World, log: Log) -> None:
    """Number of small messages, below 512 bytes, that fit in a receive buffer."""
    for size in (1, 16, 64, 100, 128, 200, 256, 300, 400, 500):
        log(f"{size} bytes in 2*16384", accepted(world, 16384, size))


@case(marks=("exact_truesize",))
def unicast_medium(world: World, log: Log) -> None:
    """Number of messages of up to a page that fit in a receive buffer."""
    for size in (600, 700, 704, 705, 1000, 1500, 1728, 2000, 3000, 3776, 4096):
        log(f"{size} bytes in 2*32768", accepted(world, 32768, size))


@case(marks=("exact_truesize",))
def unicast_large(world: World, log: Log) -> None:
    """Number of messages of several pages that fit in a receive buffer."""
    for size in (5000, 8000, 16000, 32000, 60000):
        log(f"{size} bytes in 2*100000", accepted(world, 100000, size))


@case(marks=("exact_truesize",))
def buffer_sizes(world: World, log: Log) -> None:
    """Number of messages of 100 bytes that fit in receive buffers of several sizes."""
    for rcvbuf in (0, 2000, 4096, 5000, 10000, 65536):
        log(f"100 bytes in 2*{rcvbuf}", accepted(world, rcvbuf, 100))


@case(marks=("exact_truesize",))
def least_sizes(world: World, log: Log) -> None:
    """Minimum and default sizes of SO_RCVBUF and SO_SNDBUF."""
    s = netlink(world, wire.USERSOCK)
    for name, option in (("receive", SO_RCVBUF), ("send", SO_SNDBUF)):
        log.call(f"default {name}", s.getsockopt, SOL_SOCKET, option)
        for size in (0, 1, 1151, 1152, 1153, 2303, 2304, 2305):
            s.setsockopt(SOL_SOCKET, option, size)
            log.call(f"{name} {size}", s.getsockopt, SOL_SOCKET, option)


@case(privileged=True, marks=("exact_truesize",))
def multicast_counts(world: World, log: Log) -> None:
    """Number of multicast messages that arrive at a member that does not read."""
    a = netlink(world, wire.USERSOCK, bind=(A, 0))
    for size in (1, 100, 500, 1000, 3000):
        b = netlink(world, wire.USERSOCK, bind=(B, 0))
        b.setsockopt(SOL_NETLINK, ADD_MEMBERSHIP, 1)
        b.setsockopt(SOL_NETLINK, NO_ENOBUFS, 1)
        b.setsockopt(SOL_SOCKET, SO_RCVBUF, 16384)
        for _ in range(200):
            with contextlib.suppress(ConnectionRefusedError):
                a.sendto(bytes(size), (0, 1))
        count = 0
        while count < 1000:
            try:
                b.recv(1, MSG_DONTWAIT)
            except BlockingIOError:
                break
            count += 1
        log(f"{size} bytes", count)
        b.close()


@case(marks=("exact_truesize",))
def acks(world: World, log: Log) -> None:
    """Number of kernel acknowledgements that fit in a receive buffer."""
    for rcvbuf in (4096, 16384):
        s = netlink(world, wire.GENERIC, bind=(A, 0))
        s.setsockopt(SOL_SOCKET, SO_RCVBUF, rcvbuf)
        s.setsockopt(SOL_NETLINK, NO_ENOBUFS, 1)
        for _ in range(200):
            s.send(wire.nlmsg(wire.NOOP, REQUEST | ACK))
        count = 0
        while count < 1000:
            try:
                s.recv(100, MSG_DONTWAIT)
            except BlockingIOError:
                break
            count += 1
        log(f"in 2*{rcvbuf}", count)
        s.close()


def memory(s: Socket) -> int:
    """Return the memory that a socket's receive queue takes, in bytes (SO_MEMINFO)."""
    used: int = struct.unpack_from("<I", s.getsockopt(SOL_SOCKET, SO_MEMINFO, 36))[0]
    return used


@case(marks=("exact_truesize", "route"))
def room_for_a_dump(world: World, log: Log) -> None:
    """If the receive queue is not empty, the kernel adds a part of a dump only if the truesize of this part
    fits in the receive buffer.
    """
    for size in (2591, 2592, 2593):
        s = netlink(world, wire.ROUTE, bind=(A, 0))
        s.setsockopt(SOL_SOCKET, SO_RCVBUF, size)
        s.send(wire.nlmsg(wire.NOOP, REQUEST | ACK))
        s.send(wire.nlmsg(RTM_GETLINK, REQUEST | DUMP, IfInfoMsg().pack()))
        log(f"{size}", memory(s))
        log.reply("acknowledged", s)
        log(f"{size}", memory(s))
        s.close()


@case(marks=("exact_truesize", "route"))
def a_dump_goes_on(world: World, log: Log) -> None:
    """The kernel sends the next part of a dump when at most half of the receive buffer is used."""
    for size in (1663, 1664):
        s = netlink(world, wire.ROUTE, bind=(A, 0))
        s.send(wire.nlmsg(RTM_GETLINK, REQUEST | DUMP, IfInfoMsg().pack()))
        for _ in range(2):
            s.send(wire.nlmsg(wire.NOOP, REQUEST | ACK))
        s.setsockopt(SOL_SOCKET, SO_RCVBUF, size)
        log(f"{size}", memory(s))
        for _ in range(4):
            log.recv("header", s, 16)
            log("left", memory(s))
        s.close()


@case(marks=("exact_truesize", "route"))
def as_large_as_was_read(world: World, log: Log) -> None:
    """The kernel makes each part of a dump as large as the largest buffer that a receive on this socket has
    used so far, up to 32 KiB. A receive with MSG_PEEK counts too.
    """
    reads = ((1, 0), (3776, 0), (3777, 0), (8000, MSG_PEEK), (32448, 0), (32449, 0), (100_000, 0))
    for size, flags in reads:
        s = netlink(world, wire.ROUTE, bind=(A, 0))
        s.send(wire.nlmsg(wire.NOOP, REQUEST | ACK))
        s.recv(size, MSG_DONTWAIT | flags)
        s.send(wire.nlmsg(RTM_GETLINK, REQUEST | DUMP, IfInfoMsg().pack()))
        log(f"{size}", memory(s))
        s.close()


@case(privileged=True, marks=("exact_truesize",))
def uevents_of_programs(world: World, log: Log) -> None:
    """Memory that a uevent from a program takes in the queue of a listener. The kernel removes the netlink
    header, but the header's memory still counts.
    """
    s = netlink(world, wire.UEVENT, bind=(A, 1))
    # SEQNUM has few digits on a machine that has just booted, and more digits later.
    for size in (1, 220, 236, 664, 684, 1200):
        s.send(wire.nlmsg(16, REQUEST, bytes(size)))
        log(f"{size}", memory(s))
        s.recv(1)
