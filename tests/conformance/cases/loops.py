"""Receiving many messages in a loop, as recvmmsg(2) and event loops do."""

from __future__ import annotations

import contextlib
import struct

from simkernel.uapi.poll import POLLIN
from simkernel.uapi.socket import (
    MSG_CMSG_CLOEXEC,
    MSG_DONTWAIT,
    MSG_PEEK,
    MSG_TRUNC,
    MSG_WAITALL,
    SO_MEMINFO,
    SO_RCVBUF,
    SOL_SOCKET,
)
from tests.conformance import wire
from tests.conformance.case import case, netlink
from tests.conformance.log import Log
from tests.conformance.wire import ACK, ADD_MEMBERSHIP, DUMP, PKTINFO, REQUEST, SOL_NETLINK, by_id, ctrl
from tests.conformance.world import Socket, World

A, B = 0x51000001, 0x51000002


def filled(world: World, count: int = 5) -> tuple[Socket, Socket]:
    """Return a sender and a receiver. The receiver's queue contains messages of 1, 2, 3 ... bytes."""
    a, b = netlink(world, wire.USERSOCK, bind=(A, 0)), netlink(world, wire.USERSOCK, bind=(B, 0))
    for index in range(count):
        a.sendto(bytes([index]) * (index + 1), (B, 0))
    return a, b


@case()
def until_empty(world: World, log: Log) -> None:
    """Each recvmsg() returns the next message with its own flags. On an empty queue, it fails with EAGAIN."""
    _, b = filled(world)
    for size in (10, 1, 10, 0, 10, 10):
        log.recvmsg(f"{size}", b, size, 0, MSG_DONTWAIT | MSG_TRUNC)


@case()
def filled_while_reading(world: World, log: Log) -> None:
    """A loop also receives messages that are sent while it runs."""
    a, b = filled(world, 2)
    for index in range(4):
        log.recv("recv", b)
        if index < 2:
            a.sendto(b"late", (B, 0))


@case()
def a_loop_of_peeks(world: World, log: Log) -> None:
    """Repeated MSG_PEEK returns the same message, not the next one."""
    _, b = filled(world, 2)
    for _ in range(3):
        log.recv("peek", b, 10, MSG_DONTWAIT | MSG_PEEK)
    log.recv("recv", b)
    log.recv("peek", b, 10, MSG_DONTWAIT | MSG_PEEK)


@case()
def waiting_for_all(world: World, log: Log) -> None:
    """MSG_WAITALL does not join several messages."""
    _, b = filled(world, 3)
    log.recvmsg("recv", b, 100, 0, MSG_WAITALL | MSG_DONTWAIT)


@case()
def flags_that_come_back(world: World, log: Log) -> None:
    """If the caller passes MSG_CMSG_CLOEXEC, recvmsg() returns this flag in msg_flags."""
    _, b = filled(world, 2)
    log.recvmsg("recv", b, 1, 0, MSG_CMSG_CLOEXEC | MSG_DONTWAIT)
    log.recvmsg("cut", b, 1, 0, MSG_CMSG_CLOEXEC | MSG_DONTWAIT)


@case(privileged=True)
def an_error_on_the_way(world: World, log: Log) -> None:
    """If the queue overruns while a loop receives, the next receive fails with ENOBUFS. The receives after it
    return the queued messages.
    """
    a, b = filled(world, 2)
    b.setsockopt(SOL_NETLINK, ADD_MEMBERSHIP, 1)
    b.setsockopt(SOL_SOCKET, SO_RCVBUF, 4096)
    log.recv("one", b)
    for _ in range(50):
        with contextlib.suppress(ConnectionRefusedError):
            a.sendto(bytes(500), (0, 1))
    log.recv("error", b)
    log.recv("two", b)
    log.recv("three", b, 1)


@case()
def poll_and_read(world: World, log: Log) -> None:
    """poll() reports POLLIN until the last message is read."""
    _, b = filled(world, 3)
    while ready := world.poll(b, POLLIN):
        log("ready", ready)
        log.recv("recv", b)
    log("not ready", ready)


@case(privileged=True)
def control_messages_of_each(world: World, log: Log) -> None:
    """With NETLINK_PKTINFO, the control message of each received message contains the group of that
    message.
    """
    a = netlink(world, wire.USERSOCK, bind=(A, 0))
    b = netlink(world, wire.USERSOCK, bind=(B, 0b111))
    b.setsockopt(SOL_NETLINK, PKTINFO, 1)
    for mask in (1, 4, 2):
        a.sendto(bytes([mask]), (B, mask))
    for _ in range(7):
        log.recvmsg("recv", b, 10, 100)


@case()
def answers_and_a_dump(world: World, log: Log) -> None:
    """If one datagram contains several requests, the kernel queues the replies in the order of the requests.
    The reply to the first dump request is the first part of the dump. A second dump request fails with EBUSY.
    """
    s = netlink(world, wire.GENERIC, bind=(A, 0))
    log.call(
        "send",
        s.send,
        wire.nlmsg(wire.NOOP, REQUEST | ACK, seq=1)
        + ctrl(wire.CTRL_GETPOLICY, by_id(), REQUEST | DUMP, seq=2)
        + wire.nlmsg(wire.NOOP, REQUEST | ACK, seq=3)
        + ctrl(wire.CTRL_GETPOLICY, by_id(), REQUEST | DUMP, seq=4),
    )
    log.replies("replies", s)


@case()
def memory_on_the_way(world: World, log: Log) -> None:
    """After each receive, SO_MEMINFO reports the memory of the messages that are still queued."""
    _, b = filled(world, 3)
    for _ in range(4):
        log("held", struct.unpack("<9I", b.getsockopt(SOL_SOCKET, SO_MEMINFO, 36))[0])
        log.recv("recv", b)
