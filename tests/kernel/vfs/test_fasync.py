"""SIGIO: files that send a signal when they become ready (F_SETOWN, O_ASYNC, F_SETSIG)."""

from __future__ import annotations

import fcntl
import os
import signal
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from simkernel import Machine
from simkernel.kernel.sched.signals import Signals

F_SETSIG, F_GETSIG = 10, 11
O_ASYNC = 0o20000


@pytest.fixture
def machine() -> Iterator[Machine]:
    with Machine(udev=False, unmodelled="raise") as machine:
        yield machine


class Simulated:
    """A process that counts its signals."""

    def __init__(self, machine: Machine) -> None:
        self.it = it = machine.blocking()
        self.counted: list[int] = []
        it.task.signals = Signals(dict.fromkeys((signal.SIGIO, signal.SIGUSR1), self.counted.append))
        self.fcntl, self.pipe, self.socketpair = it.fcntl, it.pipe, it.socketpair
        self.socket = it.socket
        self.read, self.write, self.close, self.getpid = it.read, it.write, it.close, it.getpid


class Host:
    """A process of this host that counts its signals."""

    def __init__(self) -> None:
        self.counted: list[int] = []
        for number in (signal.SIGIO, signal.SIGUSR1):
            signal.signal(number, lambda number, frame: self.counted.append(number))
        self.fcntl, self.pipe, self.socketpair = fcntl.fcntl, os.pipe, socket.socketpair
        self.socket = socket.socket
        self.read, self.write, self.close, self.getpid = os.read, os.write, os.close, os.getpid


def wanted(world: Any, fd: int, number: int = 0) -> None:
    world.fcntl(fd, fcntl.F_SETOWN, world.getpid())
    if number:
        world.fcntl(fd, F_SETSIG, number)
    world.fcntl(fd, fcntl.F_SETFL, world.fcntl(fd, fcntl.F_GETFL) | O_ASYNC | os.O_NONBLOCK)


def pipe(world: Any) -> Iterator[object]:
    """Write to and read from a pipe whose read end has O_ASYNC."""
    reading, writing = world.pipe()
    wanted(world, reading)
    for step in (
        lambda: world.write(writing, b"x"),
        lambda: world.write(writing, b"y"),
        lambda: world.read(reading, 10),
        lambda: world.write(writing, b"z"),
        lambda: world.fcntl(reading, fcntl.F_SETFL, os.O_NONBLOCK),
        lambda: world.write(writing, b"z"),
        lambda: world.close(writing),
    ):
        yield step()
    world.close(reading)


def pipe_end(world: Any) -> Iterator[object]:
    """Fill a pipe, read from it, and close its write end. Each of these actions sends a signal to the owner
    of the other end.
    """
    reading, writing = world.pipe()
    wanted(world, reading, signal.SIGUSR1)
    wanted(world, writing)
    yield world.fcntl(reading, F_GETSIG), world.fcntl(writing, F_GETSIG)
    yield world.write(writing, bytes(65536))
    yield len(world.read(reading, 1))
    yield len(world.read(reading, 5000))
    yield world.close(writing)
    yield world.close(reading)


def sockets(kind: int) -> Callable[[Any], Iterator[object]]:
    """Use a socket pair. One socket has O_ASYNC: it gets data and free space, then its peer is shut down and
    closed.
    """

    def life(world: Any) -> Iterator[object]:
        one, other = world.socketpair(socket.AF_UNIX, kind)
        wanted(world, one.descriptor if hasattr(one, "descriptor") else one.fileno())
        yield other.send(b"x")
        yield one.recv(10)
        yield one.send(b"y")
        yield other.recv(10)
        yield other.shutdown(socket.SHUT_WR)
        yield other.close()
        yield one.close()

    return life


def full(world: Any) -> Iterator[object]:
    """Fill a stream socket until a write fails, then read all bytes. Because of the failed write, a later
    read sends a signal about free space (SOCKWQ_ASYNC_NOSPACE).
    """
    one, other = world.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    wanted(world, one.descriptor if hasattr(one, "descriptor") else one.fileno())
    sent = 0
    try:
        while True:
            sent += one.send(bytes(4096))
    except BlockingIOError:
        yield None
    while sent:
        size = len(other.recv(65536))
        sent -= size
        yield None
    yield other.close()


def netlink(world: Any) -> Iterator[object]:
    """Send netlink messages. Each message causes a signal, also if the previous message is still unread."""
    sock = world.socket(socket.AF_NETLINK, socket.SOCK_RAW, 2)
    sock.bind((0, 0))
    wanted(world, sock.descriptor if hasattr(sock, "descriptor") else sock.fileno())
    address = sock.getsockname()
    yield sock.sendto(b"x", address)
    yield sock.sendto(b"x", address)
    yield sock.recv(10)
    yield sock.sendto(bytes(2000), address)
    yield len(sock.recv(10))
    yield sock.close()


def nobody(world: Any) -> Iterator[object]:
    """Write to a pipe before F_SETOWN, after F_SETOWN, and after F_SETOWN with 0. Only the second write sends
    a signal.
    """
    reading, writing = world.pipe()
    world.fcntl(reading, fcntl.F_SETFL, O_ASYNC | os.O_NONBLOCK)
    yield world.write(writing, b"x")
    world.fcntl(reading, fcntl.F_SETOWN, world.getpid())
    yield world.write(writing, b"x")
    world.fcntl(reading, fcntl.F_SETOWN, 0)
    yield world.write(writing, b"x")
    world.close(reading)
    world.close(writing)


LIVES = {
    "pipe": pipe,
    "both ends": pipe_end,
    "stream": sockets(socket.SOCK_STREAM),
    "datagrams": sockets(socket.SOCK_DGRAM),
    "no room": full,
    "netlink": netlink,
    "nobody": nobody,
}


def story(world: Any, life: Callable[[Any], Iterator[object]]) -> list[tuple[object, list[int]]]:
    """Return the result of each step, and the signals that it sent."""
    told = []
    for result in life(world):
        told.append((result, [int(number) for number in world.counted]))
        world.counted.clear()
    return told


EXPECTED: dict[str, list[list[int]]] = {
    "pipe": [[29], [29], [], [29], [], [], []],
    "both ends": [[], [10], [29], [29], [10], []],
    "stream": [[29], [], [], [], [29], [29], []],
    "datagrams": [[29], [], [], [], [], [], []],
    "no room": [[], [], [], [29], [29]],
    "netlink": [[29], [29], [], [29], [], []],
    "nobody": [[], [29], []],
}
"""For each program in LIVES: the signals that each of its steps sends on Linux 6.18."""


@pytest.mark.parametrize("name", LIVES)
def test_signals(machine: Machine, name: str) -> None:
    assert [sent for _, sent in story(Simulated(machine), LIVES[name])] == EXPECTED[name]


@pytest.mark.skipif(not hasattr(os, "eventfd"), reason="wants a Linux to compare with")
@pytest.mark.parametrize("name", LIVES)
def test_signals_of_this_host(machine: Machine, name: str) -> None:
    old = {number: signal.getsignal(number) for number in (signal.SIGIO, signal.SIGUSR1)}
    try:
        assert story(Simulated(machine), LIVES[name]) == story(Host(), LIVES[name])
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)
