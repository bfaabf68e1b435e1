"""poll(2) on netlink sockets."""

from __future__ import annotations

import contextlib
import struct

from simkernel.uapi.poll import POLLERR, POLLHUP, POLLIN, POLLOUT, POLLPRI, POLLRDNORM, POLLWRNORM
from simkernel.uapi.socket import MSG_DONTWAIT, MSG_PEEK, SO_ERROR, SO_RCVBUF, SO_SELECT_ERR_QUEUE, SOL_SOCKET
from tests.conformance import wire
from tests.conformance.case import case, netlink
from tests.conformance.log import Log
from tests.conformance.wire import ACK, ADD_MEMBERSHIP, REQUEST, SOL_NETLINK
from tests.conformance.world import Socket, World

A, B = 0x46000001, 0x46000002
ALL = POLLIN | POLLOUT | POLLPRI | POLLRDNORM | POLLWRNORM


def overrun(world: World) -> Socket:
    a = netlink(world, wire.USERSOCK, bind=(A, 0))
    b = netlink(world, wire.USERSOCK, bind=(B, 0))
    b.setsockopt(SOL_NETLINK, ADD_MEMBERSHIP, 1)
    b.setsockopt(SOL_SOCKET, SO_RCVBUF, 4096)
    for index in range(100):
        with contextlib.suppress(ConnectionRefusedError):
            a.sendto(struct.pack("<I", index) + bytes(500), (0, 1))
    return b


@case()
def fresh(world: World, log: Log) -> None:
    """A new socket is writable, whether it is bound or not."""
    s = netlink(world, wire.GENERIC)
    log("unbound", world.poll(s, ALL))
    s.bind((0, 0))
    log("bound", world.poll(s, ALL))
    log("in only", world.poll(s, POLLIN))
    log("nothing", world.poll(s, 0))


@case()
def readable(world: World, log: Log) -> None:
    """A socket is readable while a message is queued, even after MSG_PEEK."""
    a, b = netlink(world, wire.USERSOCK, bind=(A, 0)), netlink(world, wire.USERSOCK, bind=(B, 0))
    log("before", world.poll(b, ALL))
    a.sendto(b"1", (B, 0))
    a.sendto(b"2", (B, 0))
    log("two", world.poll(b, ALL))
    b.recv(1, MSG_PEEK)
    log("peeked", world.poll(b, ALL))
    b.recv(1)
    log("one", world.poll(b, POLLIN))
    b.recv(1)
    log("none", world.poll(b, POLLIN | POLLOUT))
    log("sender", world.poll(a, ALL))


@case()
def reply(world: World, log: Log) -> None:
    """The kernel's reply is readable as soon as send() returns."""
    s = netlink(world, wire.GENERIC, bind=(A, 0))
    log("before", world.poll(s, POLLIN))
    s.send(wire.nlmsg(wire.NOOP, REQUEST | ACK))
    log("after", world.poll(s, POLLIN))
    s.recv(100)
    log("taken", world.poll(s, POLLIN))


@case(privileged=True)
def overrun_is_an_error(world: World, log: Log) -> None:
    """After an overrun, poll() reports POLLERR, requested or not, until the error is read."""
    b = overrun(world)
    log("all", world.poll(b, ALL))
    log("not asked", world.poll(b, 0))
    log("hup", world.poll(b, POLLHUP | POLLERR))
    log.recv("recv", b, 4)
    log("taken", world.poll(b, ALL))


@case(privileged=True)
def so_error_clears(world: World, log: Log) -> None:
    """Reading SO_ERROR clears POLLERR."""
    b = overrun(world)
    log("before", world.poll(b, POLLIN))
    log.call("SO_ERROR", b.getsockopt, SOL_SOCKET, SO_ERROR)
    log("after", world.poll(b, POLLIN))


@case()
def full_receiver(world: World, log: Log) -> None:
    """If the receiver's queue is full, poll() still reports the sender as writable."""
    a, b = netlink(world, wire.USERSOCK, bind=(A, 0)), netlink(world, wire.USERSOCK, bind=(B, 0))
    b.setsockopt(SOL_SOCKET, SO_RCVBUF, 4096)
    for _ in range(100):
        try:
            a.sendto(bytes(500), MSG_DONTWAIT, (B, 0))
        except BlockingIOError as error:
            log("full", error)
            break
    log("sender", world.poll(a, ALL))
    log("receiver", world.poll(b, ALL))


@case(privileged=True)
def error_as_urgent(world: World, log: Log) -> None:
    """If SO_SELECT_ERR_QUEUE is set and the caller requests POLLPRI, poll() reports an error as POLLPRI
    too.
    """
    b = overrun(world)
    for value in (0, 1):
        b.setsockopt(SOL_SOCKET, SO_SELECT_ERR_QUEUE, value)
        for mask in (0, POLLPRI, POLLIN, ALL):
            log(f"{value} {mask:#x}", world.poll(b, mask))
    log.recv("error", b, 4)
    log("after", world.poll(b, ALL))
