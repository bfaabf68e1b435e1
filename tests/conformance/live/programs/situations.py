"""Situations: sequences of steps that set up states which single random steps seldom reach."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from simkernel.uapi.socket import AF_UNIX
from tests.conformance.live.programs import draw as v
from tests.conformance.live.programs.draw import Draw
from tests.conformance.live.programs.steps import ProgramPid, Step
from tests.conformance.programs.interface import RECORD, SIG_DFL, SIG_IGN

Last = Callable[[], Any]
"""Function that returns the result of the step that was executed last, or None if this step failed."""
Situation = Callable[[Draw, Last], Iterator[Step]]


def _connection(d: Draw, last: Last) -> Iterator[Step]:
    """Set up a listener and a connection to it, and accept the connection."""
    name, kind = d.name(), d.choice(v.SOCKETS)
    yield Step(d.place, "socket", (AF_UNIX, kind, 0))
    if isinstance(listener := last(), int):
        yield Step(d.place, "bind", (listener, name))
        yield Step(d.place, "listen", (listener, d.choice((0, 1, 5))))
        for _ in range(d.choice((1, 1, 2))):
            yield Step(d.place, "socket", (AF_UNIX, kind | d.nonblock(), 0))
            if isinstance(sock := last(), int):
                yield Step(d.place, "connect", (sock, name))
        yield Step(d.place, "accept", (listener, d.nonblock()))


def _in_flight(d: Draw, last: Last) -> Iterator[Step]:
    """Send a descriptor through a socket pair, mostly one of the pair itself. Then close one socket of the
    pair.
    """
    yield Step(d.place, "socketpair", (AF_UNIX, d.choice(v.SOCKETS) | d.nonblock(), 0))
    if isinstance(pair := last(), list):
        one, other = d.random.sample(pair, 2)
        yield Step(d.place, "sendmsg", (one, [b"x"], [d.choice((one, other, d.fd()))], 0, None))
        yield Step(d.place, "close", (d.choice(pair),))
        yield Step(d.place, "recvmsg", (other, 10, 100, socket.MSG_DONTWAIT))
        yield Step(d.place, "poll", ([(one, 5), (other, 5)], 0))


def _readers(d: Draw, last: Last) -> Iterator[Step]:
    """Create two children that wait in read(), poll() or epoll_wait() for the same file, then write to the
    file in the parent.
    """
    if len(d.side.programs.all) >= v.MAX_PROGRAMS - 1 or d.side.programs.all[d.place].task.files.limit < 200:
        return
    kind = d.choice(("eventfd", "pipe", "pair", "epoll"))
    if kind == "pipe":
        yield Step(d.place, "pipe2", (0,))
    elif kind == "pair":
        # No SOCK_STREAM: an event would wake all readers, and the host's scheduler chooses the first one.
        yield Step(d.place, "socketpair", (AF_UNIX, d.choice((2, 5)), 0))
    else:
        yield Step(d.place, "eventfd", (0, d.choice((0, 1))))
    made = last()
    read, write = made if isinstance(made, list) else (made, made)
    if not isinstance(read, int):
        return
    epoll = None
    if kind == "epoll":
        yield Step(d.place, "epoll_create", (0,))
        epoll = last()
        yield Step(d.place, "epoll_ctl", (epoll, 1, read, 1 | d.choice(v.HOW)))
    for _ in range(2):
        yield Step(d.place, "fork")
        child = len(d.side.programs.all) - 1
        if epoll is not None:
            yield Step(child, "epoll_wait", (epoll, 8, None))
        elif d.chance(0.3):
            yield Step(child, "poll", ([(read, d.choice(v.EVENTS))], None))
        else:
            yield Step(child, "read", (read, 8))
    for _ in range(d.choice((1, 2, 2, 3))):
        yield Step(d.place, "write", (write, b"\1" + bytes(7)))


def _files(d: Draw, last: Last) -> Iterator[Step]:
    """Create some files, directories and links."""
    for _ in range(4):
        call = d.choice(("mkdir", "open", "symlink", "link", "mkfifo"))
        path = d.choice("abcdl") if d.chance(0.6) else d.simple()
        if call in ("symlink", "link"):
            yield Step(
                d.place, call, (d.choice((d.simple(), "a", "b", "../a", "/case/b", "a/", "l/", "d/..")), path)
            )
        elif call == "open":
            yield Step(
                d.place,
                call,
                (path, d.choice((os.O_RDWR, os.O_RDWR | os.O_APPEND)) | os.O_CREAT, d.choice(v.MODES)),
            )
        else:
            yield Step(d.place, call, (path, d.choice(v.MODES)))


def _watched(d: Draw, last: Last) -> Iterator[Step]:
    """Create an epoll file that watches several files, among them another epoll file."""
    yield Step(d.place, "epoll_create", (0,))
    if isinstance(epoll := last(), int):
        for _ in range(3):
            yield Step(d.place, "epoll_ctl", (epoll, 1, d.fd("stream"), d.choice(v.EVENTS) | d.choice(v.HOW)))
        yield Step(d.place, "epoll_ctl", (epoll, 1, d.fd("epoll"), 1 | d.choice(v.HOW)))
        yield Step(d.place, "epoll_wait", (epoll, 64, 0))


def _interrupted(d: Draw, last: Last) -> Iterator[Step]:
    """Set the disposition of a signal in a child, and send the signal while the child is blocked in a
    call.
    """
    if len(d.side.programs.all) >= v.MAX_PROGRAMS or d.side.programs.all[d.place].task.files.limit < 200:
        return
    number = d.choice(v.SIGNALS)
    yield Step(d.place, "fork")
    child = len(d.side.programs.all) - 1
    yield Step(child, "signal", (number, d.choice((RECORD, RECORD, SIG_IGN, SIG_DFL))))
    sleeping = (
        ("read", (d.source("stream"), 8)),
        ("poll", ([(d.fd("stream"), 1)], None)),
        ("waitpid", (-1, 0)),
    )
    yield Step(child, *d.choice(sleeping))
    yield Step(d.place, "kill", (ProgramPid(child), number))
    yield Step(child, "caught")


SITUATIONS: Final[dict[str, Sequence[Situation]]] = {
    "pipes": (_readers, _interrupted),
    "sockets": (_connection, _connection, _in_flight, _readers),
    "epolls": (_watched, _readers),
    "paths": (_files, _files),
    "processes": (_readers, _interrupted),
}
"""Situations of each theme of random programs. A situation is a function that yields a prepared sequence of
steps.
"""
