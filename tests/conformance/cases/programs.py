"""Processes: what they inherit and share, and how a process wakes another."""

from __future__ import annotations

import os
import signal

from simkernel.uapi.eventpoll import EPOLL_CTL_ADD, EPOLLET, EPOLLIN
from simkernel.uapi.fcntl import F_SETFL, F_SETOWN
from simkernel.uapi.socket import AF_UNIX, SO_PASSCRED, SOCK_STREAM, SOL_SOCKET
from tests.conformance.case import case
from tests.conformance.log import Log
from tests.conformance.programs.interface import RECORD
from tests.conformance.world import World

PROGRAMS = ("programs",)


@case(privileged=True, marks=PROGRAMS)
def a_reader_that_waits(world: World, log: Log) -> None:
    """A read of an empty pipe blocks until another process writes."""
    a = world.programs().start(uid=1000)
    read, write = a.pipe()
    b = a.fork()
    pending = a.begin("read", read, 10)
    log("ended", pending.done())
    log.call("write", b.write, write, b"hello")
    log.call("read", pending.result)
    log.call("parent", b.getppid)


@case(privileged=True, marks=PROGRAMS)
def users(world: World, log: Log) -> None:
    """Processes of several users share a directory. File modes decide which of them can access a file."""
    programs = world.programs()
    root, user, member = programs.start(), programs.start(1000, 100), programs.start(1001, 7, (100,))
    log.call("create", user.open, "f", os.O_CREAT | os.O_RDWR, 0o640)
    log.call("stat", root.stat, "f")
    for name, program in (("root", root), ("user", user), ("member", member)):
        log.call(f"{name} reads", program.read_file, "f")
        log.call(f"{name} writes", program.write_file, "f", b"x")
        log.call(f"{name}: ids", lambda each: [each.getuid(), each.getgid(), each.getgroups()], program)
    log.call("a folder", root.listdir, ".")
    log.call("where", user.getcwd)


@case(privileged=True, marks=PROGRAMS)
def children_and_signals(world: World, log: Log) -> None:
    """waitpid() returns the exit status of a child or the signal that killed it. A SIGCHLD handler of the
    parent does not make waitpid() fail with EINTR.
    """
    a = world.programs().start()
    a.signal(signal.SIGCHLD, RECORD)
    b, c = a.fork(), a.fork()
    log.call("still there", a.waitpid, b.pid, os.WNOHANG)
    b.end(3)
    log("caught", a.caught())
    log.call("wait", a.waitpid, b.pid)
    waiting = a.begin("waitpid", c.pid)
    log("ended", waiting.done())
    log.call("kill", c.kill, c.pid, signal.SIGKILL)
    log.call("interrupted", waiting.result)
    log("caught", a.caught())
    log.call("wait", a.wait)
    log.call("no child", a.wait)
    log("alive", [b.alive(), c.alive()])


@case(privileged=True, marks=PROGRAMS)
def writers_of_a_full_pipe(world: World, log: Log) -> None:
    """A read that frees no page of a full pipe wakes no writer. The kernel wakes blocked writers in the order
    in which they blocked.
    """
    a = world.programs().start()
    read, write = a.pipe()
    first, second = a.fork(), a.fork()
    pending = {
        "first": first.begin("write", write, bytes(70_000)),
        "second": second.begin("write", write, b"x"),
    }
    for size in (8, 4096, 4096, 8, 65536, 65536):
        log.call(f"read {size}", lambda: len(a.read(read, size)))  # noqa: B023
        log("ended", [name for name, call in pending.items() if call.done()])


@case(privileged=True, marks=PROGRAMS)
def signals_of_an_empty_pipe(world: World, log: Log) -> None:
    """A read sends SIGIO to the owner of a pipe's write end (O_ASYNC), even if it fails with EAGAIN because
    the pipe is empty. While a read blocks, it sends no SIGIO.
    """
    a = world.programs().start()
    a.signal(signal.SIGIO, RECORD)
    read, write = a.pipe()
    a.fcntl(write, F_SETOWN, a.pid)
    a.fcntl(write, F_SETFL, os.O_ASYNC)
    b = a.fork()
    pending = b.begin("read", read, 1)
    log("caught", a.caught())
    a.write(write, b"x")
    log.call("read", pending.result)
    log("caught", a.caught())
    a.fcntl(read, F_SETFL, os.O_NONBLOCK)
    log.call("read", a.read, read, 1)
    log("caught", a.caught())


@case(privileged=True, marks=PROGRAMS)
def an_edge_of_a_pipe_that_fills(world: World, log: Log) -> None:
    """If a write fills a pipe and blocks, epoll reports no new edge (EPOLLET) to the reader. After a
    non-blocking write, epoll reports a new edge.
    """
    a = world.programs().start()
    for flags in (0, os.O_NONBLOCK):
        read, write = a.pipe2(flags)
        epoll = a.epoll_create()
        a.epoll_ctl(epoll, EPOLL_CTL_ADD, read, EPOLLIN | EPOLLET)
        a.write(write, b"x")
        log.call("first", a.epoll_wait, epoll, 8, 0)
        b = a.fork()
        pending = b.begin("write", write, bytes(70_000))
        log("ended", pending.done())
        log.call("second", a.epoll_wait, epoll, 8, 0)


@case(privileged=True, marks=PROGRAMS)
def a_select_for_writing_after_a_hangup(world: World, log: Log) -> None:
    """select() treats a descriptor with POLLHUP as readable, but not as writable or exceptional. If select()
    waits only for writing and for exceptional conditions, it keeps blocking.
    """
    a = world.programs().start()
    read, write = a.pipe()
    a.close(write)
    for sets in (([read], [], []), ([], [read], []), ([], [], [read])):
        log.call("select", a.select, *sets, 0)
    pending = a.begin("select", [], [read], [read], 0.05)
    log("ended", pending.done())
    log.call("after the timeout", pending.result)


@case(privileged=True, marks=PROGRAMS)
def descriptors_and_credentials_in_a_message(world: World, log: Log) -> None:
    """Received descriptors get the lowest free numbers. Received credentials are those of the sender."""
    a = world.programs().start(1000, 100)
    one, other = a.socketpair(AF_UNIX, SOCK_STREAM)
    log.call("send", a.sendmsg, one, [b"a", b"b"], [0, one])
    log.call("receive", a.recvmsg, other, 10, 100)
    log.call("F_GETFD", a.fcntl, 5, 1)
    a.setsockopt(other, SOL_SOCKET, SO_PASSCRED, 1)
    b = a.fork()
    log.call("send", b.send, one, b"x")
    log.call("receive", a.recvmsg, other, 10, 100)
