"""The same measurements by Python's own calls, where there is no C compiler.

A call of Python's is more than a system call: there are a loop, arguments, results.  What that takes is
measured with a twin of each operation, made of builtins that take as many arguments, make the same
objects, and do not enter the kernel; it is taken off.  So the figures are rougher than those of a C
program.  Operations are left out where the rest would be too little of the whole: many sockets at once,
and two processes, where one does not know whose time is whose.
"""

from __future__ import annotations

import fcntl
import os
import select
import socket
import sys
import termios
from collections.abc import Callable, Iterable, Iterator
from time import perf_counter_ns
from typing import Any, Final

from simkernel.calibration.operations import Operation
from simkernel.engine import SimulationError
from simkernel.uapi.netlink import NETLINK_USERSOCK

ROUNDS: Final = 25
ROUND_NS: Final = 1_000_000
"""How many rounds, and about how long each takes."""
LEAST: Final = 1.0
"""Nanoseconds that an operation takes at least, whatever is taken off."""

Call = Callable[[], object]
Subject = tuple[Call, Call]
"""One turn of an operation, and its twin."""

NOTHING: Final = sys.getrecursionlimit
"""A builtin without arguments."""
TWO: Final = os.makedev
"""A builtin with two numbers."""


def measure(operations: Iterable[Operation]) -> dict[Operation, float]:
    """Nanoseconds per operation, for those that can be measured so.  SimulationError if this is no Linux."""
    if sys.platform != "linux":
        raise SimulationError(f"this is {sys.platform}: only a Linux can be measured")
    measured = {}
    for operation in operations:
        make = SUBJECTS.get(operation.kind.key)
        if make is None:
            continue
        files: list[Any] = []
        try:
            turn, twin = make(operation.size, files)
            measured[operation] = max(_timed(turn, twin), LEAST)
        except OSError:  # what this user or kernel may not do
            continue
        finally:
            for file in files:
                os.close(file) if isinstance(file, int) else file.close()
    return measured


def _timed(turn: Call, twin: Call) -> float:
    """What a turn takes beyond its twin: the fastest round of each, since all else only adds to it."""
    often = 1
    while _round(turn, often) < ROUND_NS:
        often *= 2
    rounds = [(_round(turn, often), _round(twin, often)) for _ in range(ROUNDS)]
    whole = min(turns for turns, _ in rounds)
    share = min(twins for _, twins in rounds)
    return (whole - share) / often


def _round(call: Call, often: int) -> int:
    turns = range(often)
    begun = perf_counter_ns()
    for _ in turns:
        call()
    return perf_counter_ns() - begun


# -- the operations ---------------------------------------------------------


def _getppid(size: int, files: list[Any]) -> Subject:
    return os.getppid, NOTHING


def _sched_yield(size: int, files: list[Any]) -> Subject:
    return os.sched_yield, NOTHING


def _pipe_ends(files: list[Any]) -> tuple[int, int]:
    ends = os.pipe()
    files += ends
    return ends


def _fionread(size: int, files: list[Any]) -> Subject:
    reader, _ = _pipe_ends(files)
    waiting = bytearray(4)
    return lambda: fcntl.ioctl(reader, termios.FIONREAD, waiting), lambda: pow(reader, 1, 7)


def _eventfd(size: int, files: list[Any]) -> Subject:
    counter = os.eventfd(0)
    files.append(counter)

    def turn() -> None:
        os.eventfd_write(counter, 1)
        os.eventfd_read(counter)

    def twin() -> None:
        TWO(counter, 1)
        os.minor(counter)

    return turn, twin


def _poll(size: int, files: list[Any]) -> Subject:
    counter = os.eventfd(1)
    files.append(counter)
    watch = select.poll()
    watch.register(counter, select.POLLIN)
    return watch.poll, lambda: [(counter, 1)].copy()


def _epoll(size: int, files: list[Any]) -> Subject:
    counter = os.eventfd(1)
    watch = select.epoll()
    files += (counter, watch)
    watch.register(counter, select.EPOLLIN)
    return watch.poll, lambda: [(counter, 1)].copy()


def _pread(path: str) -> Callable[[int, list[Any]], Subject]:
    def make(size: int, files: list[Any]) -> Subject:
        file = os.open(path, os.O_RDONLY)
        files.append(file)
        return lambda: os.pread(file, 4096, 0), lambda: (TWO(file, 0), bytes(4096))

    return make


def _pipe(size: int, files: list[Any]) -> Subject:
    reader, writer = _pipe_ends(files)
    data = bytes(size)

    def turn() -> None:
        os.write(writer, data)
        os.read(reader, size)

    def twin() -> None:
        TWO(writer, 1)
        TWO(reader, size)
        bytes(size)

    return turn, twin


def _socket(size: int, files: list[Any]) -> Subject:
    def turn() -> None:
        sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_USERSOCK)
        sock.bind((0, 0))
        sock.close()

    def twin() -> None:
        sock = socket.socket.__new__(socket.socket)
        TWO(0, 0)
        del sock

    return turn, twin


def _sending(one: socket.socket, other: socket.socket, size: int, to: Any = None) -> Subject:
    data, room = bytes(size), bytearray(max(size, 1))

    def turn() -> None:
        one.sendto(data, to) if to else one.send(data)
        other.recv_into(room)

    def twin() -> None:
        TWO(size, 0) if to else os.minor(size)
        os.minor(size)

    return turn, twin


def _unix(size: int, files: list[Any]) -> Subject:
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    files += (one, other)
    return _sending(one, other, size)


def _usersocks(files: list[Any]) -> Iterator[socket.socket]:
    for _ in range(2):
        sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_USERSOCK)
        files.append(sock)
        sock.bind((0, 0))
        yield sock


def _usersock(size: int, files: list[Any]) -> Subject:
    one, other = _usersocks(files)
    return _sending(one, other, size, other.getsockname())


SUBJECTS: Final[dict[str, Callable[[int, list[Any]], Subject]]] = {
    "getppid": _getppid,
    "sched_yield": _sched_yield,
    "fionread": _fionread,
    "eventfd": _eventfd,
    "poll": _poll,
    "epoll": _epoll,
    "socket": _socket,
    "comm": _pread("/proc/self/comm"),
    "loadavg": _pread("/proc/loadavg"),
    "attribute": _pread("/sys/kernel/profiling"),
    "pipe": _pipe,
    "unix": _unix,
    "usersock": _usersock,
}
