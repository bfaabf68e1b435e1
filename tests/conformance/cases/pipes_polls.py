"""Blocked programs: which of them are woken by an event, and what poll(2), select(2) and epoll report."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from typing import Any

from simkernel.uapi.eventpoll import EPOLL_CTL_ADD, EPOLLET, EPOLLOUT
from simkernel.uapi.netlink import NETLINK_USERSOCK
from simkernel.uapi.socket import (
    AF_NETLINK,
    AF_UNIX,
    SO_RCVBUF,
    SO_SNDBUF,
    SOCK_DGRAM,
    SOCK_RAW,
    SOCK_SEQPACKET,
    SOCK_STREAM,
    SOL_SOCKET,
)
from tests.conformance.case import case
from tests.conformance.log import Log
from tests.conformance.programs.interface import Program, Programs
from tests.conformance.world import World

PROGRAMS = ("programs",)
ANY = 0x7FFF


def served(
    programs: Programs,
    log: Log,
    a: Program,
    call: Callable[[Program], tuple[Any, ...]],
    event: Callable[[], Any],
) -> None:
    """Block three programs in a call, one after the other. Record which of them each event wakes."""
    waiting = [program.begin(*call(program)) for program in (a.fork(), a.fork(), a.fork())]
    for _ in waiting:
        event()
        programs.settle()
        log("served", [each.done() for each in waiting])


@case(privileged=True, marks=PROGRAMS)
def readers_of_a_pipe(world: World, log: Log) -> None:
    """A write to a pipe wakes the reader that blocked first."""
    programs = world.programs()
    a = programs.start()
    read, write = a.pipe()
    served(programs, log, a, lambda _: ("read", read, 1), lambda: a.write(write, b"x"))


@case(privileged=True, marks=PROGRAMS)
def writers_to_a_pipe(world: World, log: Log) -> None:
    """A read of one page from a full pipe wakes the writer that blocked first."""
    programs = world.programs()
    a = programs.start()
    read, write = a.pipe()
    a.write(write, bytes(65536))
    served(programs, log, a, lambda _: ("write", write, bytes(4096)), lambda: a.read(read, 4096))


@case(privileged=True, marks=PROGRAMS)
def readers_of_messages(world: World, log: Log) -> None:
    """A message to a unix socket wakes the reader that blocked first."""
    programs = world.programs()
    a = programs.start()
    for kind in (SOCK_DGRAM, SOCK_SEQPACKET):
        one, other = a.socketpair(AF_UNIX, kind)
        served(programs, log, a, lambda _, fd=other: ("recv", fd, 1), lambda fd=one: a.send(fd, b"x"))
        served(programs, log, a, lambda _, fd=other: ("read", fd, 1), lambda fd=one: a.send(fd, b"x"))


@case(privileged=True, marks=PROGRAMS)
def listeners_and_clients(world: World, log: Log) -> None:
    """A connection wakes the accept() that blocked first. accept() wakes the connect() that blocked first."""
    programs = world.programs()
    a = programs.start()
    listener = a.socket(AF_UNIX, SOCK_STREAM)
    a.bind(listener, "listener")
    a.listen(listener, 0)

    def client(program: Program) -> tuple[Any, ...]:
        return "connect", program.socket(AF_UNIX, SOCK_STREAM), "listener"

    def connect() -> None:
        a.connect(*client(a)[1:])

    served(programs, log, a, lambda _: ("accept", listener), connect)
    connect()
    served(programs, log, a, client, lambda: a.accept(listener))


@case(privileged=True, marks=PROGRAMS)
def senders_to_a_full_inbox(world: World, log: Log) -> None:
    """A receive from the full queue of a unix datagram socket wakes one sender that is blocked in send(2) or
    write(2).
    """
    programs = world.programs()
    a = programs.start()
    inbox = a.socket(AF_UNIX, SOCK_DGRAM)
    a.bind(inbox, "inbox")
    first = a.socket(AF_UNIX, SOCK_DGRAM)
    a.connect(first, "inbox")
    while a.poll([(first, 4)], 0):
        a.send(first, b"x")

    def sender(call: str) -> Callable[[Program], tuple[Any, ...]]:
        def send(program: Program) -> tuple[Any, ...]:
            fd = program.socket(AF_UNIX, SOCK_DGRAM)
            program.connect(fd, "inbox")
            return call, fd, b"y"

        return send

    for call in ("send", "write"):
        served(programs, log, a, sender(call), lambda: a.recv(inbox, 1))


@case(privileged=True, marks=PROGRAMS)
def select_beyond_the_table(world: World, log: Log) -> None:
    """select() ignores a descriptor beyond the end of the process's descriptor table. The bit of this
    descriptor remains set in the returned set.
    """
    a = world.programs().start()
    read, write = a.pipe()
    a.dup2(0, 511)
    for sets in (
        ([600], [], []), ([600], [601], [602]), ([read, 600], [write], [600]), ([400, 600], [], []),
        ([510], [], []), ([read, 512], [], []),
    ):  # fmt: skip
        log.call(str(sets), a.select, *sets, 0)
    log.call("timeout", a.select, [read, 600], [], [], 0.01)
    a.dup2(0, 512)
    log.call("in a larger table", a.select, [600], [], [], 0)
    a.close(512)
    log.call("a table does not shrink", a.select, [600], [], [], 0)


PROC = [
    "", "mounts", "self/mounts", "devices", "filesystems", "interrupts", "loadavg", "uptime", "version",
    "net/unix", "net/netlink", "net/dev", "net/route", "sys/kernel/tainted", "self/comm", "self/status",
    "self/stat", "self/fdinfo/0", "self/cmdline", "self/fd",
]  # fmt: skip
DEV = ["null", "zero", "full", "random", "urandom"]
PATHS = (
    *(f"/proc/{name}" for name in PROC), *(f"/dev/{name}" for name in DEV),
    "/sys/kernel/uevent_seqnum", "/sys/class", ".",
)  # fmt: skip


@case(privileged=True, marks=PROGRAMS)
def files_under_poll_and_epoll(world: World, log: Log) -> None:
    """epoll accepts every file with a poll operation, even a file for which poll always reports that it is
    ready.
    """
    a = world.programs().start()
    for path in PATHS:
        fd = a.open(path, os.O_RDONLY)
        log.call(f"poll {path}", a.poll, [(fd, ANY)], 0)
        log.call("select", a.select, [fd], [fd], [fd], 0)
        epoll = a.epoll_create()
        log.call("epoll_ctl", a.epoll_ctl, epoll, EPOLL_CTL_ADD, fd, ANY)
        log.call("epoll_wait", a.epoll_wait, epoll, 10, 0)
        a.close(epoll)
        a.close(fd)


@case(privileged=True, marks=PROGRAMS)
def attribute_that_was_read(world: World, log: Log) -> None:
    """poll() reports POLLPRI and POLLERR for a sysfs attribute until the program reads it."""
    a = world.programs().start()
    fd = a.open("/sys/kernel/uevent_seqnum", os.O_RDONLY)
    log.call("opened", a.poll, [(fd, ANY)], 0)
    a.read(fd, 0)
    log.call("read nothing", a.poll, [(fd, ANY)], 0)
    a.read(fd, 1)
    log.call("read", a.poll, [(fd, ANY)], 0)
    a.lseek(fd, 0, 0)
    log.call("sought", a.poll, [(fd, ANY)], 0)


@case(privileged=True, marks=PROGRAMS)
def eventfd_of_two_writers(world: World, log: Log) -> None:
    """One read of an eventfd wakes all blocked writers whose value fits in the counter."""
    programs = world.programs()
    a = programs.start()
    fd = a.eventfd(0)
    a.write(fd, struct.pack("Q", 2**64 - 2))
    writers = [a.fork().begin("write", fd, struct.pack("Q", 1)) for _ in range(2)]
    log("wait", [each.done() for each in writers])
    log.call("read", a.read, fd, 8)
    programs.settle()
    log("done", [each.done() for each in writers])
    log.call("read", a.read, fd, 8)


@case(privileged=True, marks=PROGRAMS)
def edges_of_send_buffers(world: World, log: Log) -> None:
    """A new SO_SNDBUF value makes epoll report a new edge (EPOLLET). A new SO_RCVBUF value does not."""
    programs = world.programs()
    a = programs.start()
    kinds = ((AF_UNIX, SOCK_DGRAM, 0), (AF_UNIX, SOCK_STREAM, 0), (AF_NETLINK, SOCK_RAW, NETLINK_USERSOCK))
    for kind in kinds:
        fd, epoll = a.socket(*kind), a.epoll_create()
        a.epoll_ctl(epoll, EPOLL_CTL_ADD, fd, EPOLLET | EPOLLOUT)
        log("at first", a.epoll_wait(epoll, 10, 0))
        for option, size in ((SO_SNDBUF, 100_000), (SO_SNDBUF, 5000), (SO_RCVBUF, 5000), (SO_SNDBUF, 1)):
            a.setsockopt(fd, SOL_SOCKET, option, size)
            log(f"option {option}: {size}", a.epoll_wait(epoll, 10, 0))
