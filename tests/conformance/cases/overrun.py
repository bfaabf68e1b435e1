"""Full receive queues: ENOBUFS, lost messages and the options that control them.

No case here depends on the number of messages that a buffer holds. Those are in exact_truesize.py.
"""

from __future__ import annotations

import contextlib
import struct

from simkernel.uapi.socket import (
    MSG_DONTWAIT,
    MSG_PEEK,
    SO_ERROR,
    SO_RCVBUF,
    SO_RCVBUFFORCE,
    SO_SNDBUFFORCE,
    SO_SNDTIMEO,
    SOL_SOCKET,
)
from tests.conformance import wire
from tests.conformance.case import case, netlink
from tests.conformance.log import Log
from tests.conformance.wire import ACK, ADD_MEMBERSHIP, BROADCAST_ERROR, NO_ENOBUFS, REQUEST, SOL_NETLINK
from tests.conformance.world import Socket, World

A, B, C = 0x43000001, 0x43000002, 0x43000003


def sender_and_member(world: World, size: int = 4096) -> tuple[Socket, Socket]:
    a = netlink(world, wire.USERSOCK, bind=(A, 0))
    b = netlink(world, wire.USERSOCK, bind=(B, 0))
    b.setsockopt(SOL_NETLINK, ADD_MEMBERSHIP, 1)
    b.setsockopt(SOL_SOCKET, SO_RCVBUF, size)
    return a, b


def flood(a: Socket, count: int = 100, size: int = 500) -> None:
    """Send numbered messages to group 1. Each send raises ConnectionRefusedError, because the protocol has no
    kernel socket, but the group still receives the message.
    """
    for index in range(count):
        with contextlib.suppress(ConnectionRefusedError):
            a.sendto(struct.pack("<I", index) + bytes(size), (0, 1))


def numbers(b: Socket, count: int = 1000) -> list[int]:
    """Receive all queued messages, and return the number that each message contains."""
    got: list[int] = []
    for _ in range(count):
        try:
            got.append(struct.unpack_from("<I", b.recv(4, MSG_DONTWAIT))[0])
        except BlockingIOError:
            return got
    return got


@case(privileged=True)
def multicast_overrun(world: World, log: Log) -> None:
    """After an overrun, recv() fails once with ENOBUFS. Then it returns the messages that were queued before
    the overrun. The messages that did not fit in the queue are lost.
    """
    a, b = sender_and_member(world)
    flood(a)
    log.recv("recv", b, 4)
    got = numbers(b)
    log("some", 0 < len(got) < 100)
    log("the first ones", got == list(range(len(got))))
    log.recv("recv", b)
    flood(a, 1)
    log.recv("after", b, 8)


@case(privileged=True)
def congested_until_empty(world: World, log: Log) -> None:
    """After an overrun, the queue accepts no message until it is empty, even if it has space earlier."""
    a, b = sender_and_member(world)
    flood(a)
    log.recv("error", b)
    log.recv("one out", b, 4)
    log.recv("two out", b, 4)
    flood(a, 1, 1)
    got = numbers(b)
    log("the newest is missing", got == list(range(2, len(got) + 2)))
    flood(a, 1, 0)
    log.recv("after it was empty", b)


@case(privileged=True)
def second_error(world: World, log: Log) -> None:
    """A second overrun is not reported if the queue was never empty between the two overruns."""
    a, b = sender_and_member(world)
    flood(a)
    log.recv("error", b)
    flood(a)
    log.recv("no error", b, 4)
    numbers(b)
    flood(a)
    log.recv("error", b)
    log.recv("first", b, 4)


@case(privileged=True)
def so_error_takes_it(world: World, log: Log) -> None:
    """Reading SO_ERROR after an overrun returns ENOBUFS and clears the error."""
    a, b = sender_and_member(world)
    flood(a)
    log.call("SO_ERROR", b.getsockopt, SOL_SOCKET, SO_ERROR)
    log.call("SO_ERROR", b.getsockopt, SOL_SOCKET, SO_ERROR)
    log.recv("recv", b, 4)


@case(privileged=True)
def peek_takes_it(world: World, log: Log) -> None:
    """A receive with MSG_PEEK after an overrun returns ENOBUFS and clears the error."""
    a, b = sender_and_member(world)
    flood(a)
    log.recv("peek", b, 4, MSG_PEEK | MSG_DONTWAIT)
    log.recv("peek", b, 4, MSG_PEEK | MSG_DONTWAIT)
    log.recv("recv", b, 4)


@case(privileged=True)
def sending_does_not_take_it(world: World, log: Log) -> None:
    """A socket whose queue has overrun can still send. Sending does not clear ENOBUFS."""
    a, b = sender_and_member(world)
    flood(a)
    log.call("send", b.sendto, b"x", (A, 0))
    log.recvfrom("a", a)
    log.recv("b", b, 4)


@case(privileged=True)
def no_enobufs(world: World, log: Log) -> None:
    """With NETLINK_NO_ENOBUFS, an overrun causes no error, and the queue accepts messages as soon as it has
    space.
    """
    a, b = sender_and_member(world)
    log.call("set", b.setsockopt, SOL_NETLINK, NO_ENOBUFS, 1)
    flood(a)
    log.call("SO_ERROR", b.getsockopt, SOL_SOCKET, SO_ERROR)
    log.recv("first", b, 4)
    log.recv("second", b, 4)
    flood(a, 1, 4)
    got = numbers(b)
    log("the newest came", got[-1] == 0)
    log("in order", got[:-1] == list(range(2, len(got) + 1)))


@case(privileged=True)
def broadcast_error(world: World, log: Log) -> None:
    """If a receiver with NETLINK_BROADCAST_ERROR overruns, the sending program does not get ENOBUFS."""
    a, b = sender_and_member(world)
    c = netlink(world, wire.USERSOCK, bind=(C, 0))
    log.call("set", b.setsockopt, SOL_NETLINK, BROADCAST_ERROR, 1)
    flood(a)
    log.call("group", a.sendto, bytes(500), (0, 1))
    log.call("group and unicast", a.sendto, b"c", (C, 1))
    log.recv("c", c)
    log.recv("b", b, 4)


@case()
def unicast_to_a_full_queue(world: World, log: Log) -> None:
    """A non-blocking unicast send to a full queue fails with EAGAIN. The receiver gets no error."""
    a = netlink(world, wire.USERSOCK, bind=(A, 0))
    b = netlink(world, wire.USERSOCK, bind=(B, 0))
    b.setsockopt(SOL_SOCKET, SO_RCVBUF, 4096)
    sent = 0
    while sent < 100:
        try:
            a.sendto(struct.pack("<I", sent) + bytes(500), MSG_DONTWAIT, (B, 0))
        except BlockingIOError as error:
            log("error", error)
            break
        sent += 1
    log("some", 0 < sent < 100)
    log.call("SO_ERROR", b.getsockopt, SOL_SOCKET, SO_ERROR)
    log("all of them", numbers(b) == list(range(sent)))
    log.call("again", a.sendto, b"x", MSG_DONTWAIT, (B, 0))


@case()
def unicast_send_timeout(world: World, log: Log) -> None:
    """A blocking unicast send to a full queue fails with EAGAIN after SO_SNDTIMEO."""
    a = netlink(world, wire.USERSOCK, bind=(A, 0))
    b = netlink(world, wire.USERSOCK, bind=(B, 0))
    b.setsockopt(SOL_SOCKET, SO_RCVBUF, 4096)
    a.setsockopt(SOL_SOCKET, SO_SNDTIMEO, struct.pack("<qq", 0, 50_000))
    for _ in range(100):
        try:
            a.sendto(bytes(500), (B, 0))
        except OSError as error:
            log("error", error)
            break


@case()
def one_message_always_fits(world: World, log: Log) -> None:
    """An empty receive queue accepts one message of any size."""
    a = netlink(world, wire.USERSOCK, bind=(A, 0))
    b = netlink(world, wire.USERSOCK, bind=(B, 0))
    b.setsockopt(SOL_SOCKET, SO_RCVBUF, 0)
    log.call("large", a.sendto, bytes(30000), MSG_DONTWAIT, (B, 0))
    log.call("small", a.sendto, b"x", MSG_DONTWAIT, (B, 0))
    log("length", len(b.recv(65536, MSG_DONTWAIT)))
    log.call("small", a.sendto, b"x", MSG_DONTWAIT, (B, 0))


@case()
def replies_overrun(world: World, log: Log) -> None:
    """If the kernel's replies do not fit in the receive buffer, the requester gets ENOBUFS."""
    s = netlink(world, wire.GENERIC, bind=(A, 0))
    s.setsockopt(SOL_SOCKET, SO_RCVBUF, 4096)
    for seq in range(100):
        s.send(wire.nlmsg(wire.NOOP, REQUEST | ACK, seq=seq))
    log.recv("error", s)
    log.reply("first", s)
    log.reply("second", s)
    while True:
        try:
            s.recv(100, MSG_DONTWAIT)
        except OSError as error:
            log("end", error)
            break
    log.ask("after", s, wire.nlmsg(wire.NOOP, REQUEST | ACK, seq=1000))


@case()
def rcvbuf_doubles(world: World, log: Log) -> None:
    """SO_RCVBUF returns twice the value that was set."""
    s = netlink(world, wire.USERSOCK)
    for size in (5000, 50000):
        log.call(f"set {size}", s.setsockopt, SOL_SOCKET, SO_RCVBUF, size)
        log.call("get", s.getsockopt, SOL_SOCKET, SO_RCVBUF)
    log.call("force", s.setsockopt, SOL_SOCKET, SO_RCVBUFFORCE, 5000)
    log.call("force", s.setsockopt, SOL_SOCKET, SO_SNDBUFFORCE, 5000)
    log.call("get", s.getsockopt, SOL_SOCKET, SO_RCVBUF)


@case(privileged=True)
def rcvbuf_force(world: World, log: Log) -> None:
    """SO_RCVBUFFORCE needs privilege and has no upper limit."""
    s = netlink(world, wire.USERSOCK)
    for size in (6000, 100_000_000):
        log.call(f"force {size}", s.setsockopt, SOL_SOCKET, SO_RCVBUFFORCE, size)
        log.call("get", s.getsockopt, SOL_SOCKET, SO_RCVBUF)


@case(privileged=True)
def no_enobufs_afterwards(world: World, log: Log) -> None:
    """After an overrun, enabling NETLINK_NO_ENOBUFS makes the queue accept messages again. Disabling it does
    not. A pending ENOBUFS stays in both cases.
    """
    for label, value in (("on", 1), ("off", 0)):
        a, b = sender_and_member(world)
        flood(a)
        for _ in range(3):
            log.call("SO_ERROR", b.getsockopt, SOL_SOCKET, SO_ERROR)
            b.recv(4)
        log.call(label, b.setsockopt, SOL_NETLINK, NO_ENOBUFS, value)
        flood(a, 1, 1)
        got = numbers(b)
        log("in order", got[:-1] == list(range(3, len(got) + 2)))
        log("the newest came", got[-1] == 0)
        a.close()
        b.close()
