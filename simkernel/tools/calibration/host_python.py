"""The same measurements by Python's own calls, where there is no C compiler.

A call from Python is more than a system call: there are the interpreter, arguments, results.  So each
operation is a function of the library that it calls, and runs twice: with the C library, and with one whose
functions do nothing and take the same arguments.  What the second takes is the interpreter's share, and is
taken off.  What remains is more than `measure.c` finds, by some 80 ns a call where this was written: after a
system call the processor has forgotten much of what it had learnt of the interpreter, and that is not to be
told from the call itself.  Two processes are not measured: one would not know whose time is whose.
"""

from __future__ import annotations

import ctypes
import os
import select
import socket
import struct
import sys
import termios
from collections.abc import Callable, Iterable
from time import perf_counter_ns
from types import SimpleNamespace
from typing import Any, Final

import attrs

from simkernel.engine import SimulationError
from simkernel.tools.calibration.operations import Operation
from simkernel.tools.calibration.programs import DESCRIPTORS, GROUP, LARGEST, NOBODY, OTHER_GROUP, PAGE
from simkernel.uapi.genetlink import CTRL_ATTR_FAMILY_NAME, CTRL_CMD_GETFAMILY, GENL_ID_CTRL, GenlMsgHdr
from simkernel.uapi.netlink import (
    NETLINK_GENERIC,
    NETLINK_USERSOCK,
    NLM_F_ACK,
    NLM_F_REQUEST,
    NLMSG_NOOP,
    NlMsgHdr,
    SockaddrNl,
)
from simkernel.uapi.socket import AF_NETLINK

ROUNDS: Final = 40
ROUND_NS: Final = 1_000_000
"""How many rounds, and about how long each takes."""
LONGEST: Final = 1 << 16
"""Operations of a round at most."""
QUEUE: Final = 200_000
"""Bytes that a queue holds, in memory: a little less than rmem_default."""
LEAST: Final = 1.0
"""Nanoseconds that an operation takes at least, whatever is taken off."""
CALLS: Final = (
    "getppid", "sched_yield", "ioctl", "read", "write", "pread", "poll", "epoll_wait", "socket", "bind",
    "close", "send", "sendto", "recv",
)  # fmt: skip

Turn = Callable[[Any], object]
"""An operation, done once with a library."""


@attrs.define
class Subject:
    """What is timed; and what is done, untimed, before and after a round of so many."""

    turn: Turn
    before: Callable[[int], object] = lambda often: None
    after: Callable[[], object] = lambda: None
    longest: int = LONGEST


def measure(operations: Iterable[Operation]) -> dict[Operation, float]:
    """Nanoseconds per operation, for those that can be measured so.  SimulationError if this is no Linux."""
    if sys.platform != "linux":
        raise SimulationError(f"this is {sys.platform}: only a Linux can be measured")
    library = ctypes.CDLL(None)
    real = SimpleNamespace(**{name: getattr(library, name) for name in CALLS})
    idle = SimpleNamespace(**dict.fromkeys(CALLS, library.labs))
    measured = {}
    for operation in operations:
        prepare = SUBJECTS.get(operation.kind.key)
        if prepare is None:
            continue
        room = Room()
        try:
            measured[operation] = max(
                _timed(prepare(room, operation.count, operation.size), real, idle), LEAST
            )
        except OSError:  # what this user or this kernel may not do
            continue
        finally:
            room.leave()
    return measured


def _timed(subject: Subject, real: Any, idle: Any) -> float:
    """What a turn takes beyond the interpreter's share: the fastest round of each, since all else adds."""
    often = 1
    while often < subject.longest and _round(subject, real, often) < ROUND_NS:
        often = min(often * 2, subject.longest)
    whole = min(_round(subject, real, often) for _ in range(ROUNDS))
    turn_only = Subject(subject.turn)
    share = min(_round(turn_only, idle, often) for _ in range(ROUNDS))
    return (whole - share) / often


def _round(subject: Subject, library: Any, often: int) -> int:
    turn, turns = subject.turn, range(often)
    subject.before(often)
    begun = perf_counter_ns()
    for _ in turns:
        turn(library)
    took = perf_counter_ns() - begun
    subject.after()
    return took


class Room:
    """What an operation has open, closed when it leaves."""

    def __init__(self) -> None:
        self._open: list[Any] = []

    def keep(self, *files: Any) -> Any:
        """Close it in the end; returns the first."""
        self._open += files
        return files[0]

    def leave(self) -> None:
        """Close everything."""
        for file in self._open:
            os.close(file) if isinstance(file, int) else file.close()

    def eventfd(self, value: int) -> int:
        """A counter."""
        counter: int = self.keep(os.eventfd(value))
        return counter

    def usersock(self, groups: int = 0) -> socket.socket:
        """A netlink socket with a port id, and in these groups."""
        return self.netlink(NETLINK_USERSOCK, groups)

    def netlink(self, protocol: int, groups: int = 0) -> socket.socket:
        """The same of any protocol."""
        sock: socket.socket = self.keep(socket.socket(AF_NETLINK, socket.SOCK_RAW, protocol))
        sock.bind((0, groups))
        return sock


def _address(port: int, groups: int = 0) -> bytes:
    return SockaddrNl(pid=port, groups=groups).pack()


# -- files ------------------------------------------------------------------


def _getppid(room: Room, count: int, size: int) -> Subject:
    return Subject(lambda library: library.getppid())


def _sched_yield(room: Room, count: int, size: int) -> Subject:
    return Subject(lambda library: library.sched_yield())


def _fionread(room: Room, count: int, size: int) -> Subject:
    reader = room.keep(*os.pipe())
    waiting = ctypes.create_string_buffer(4)
    return Subject(lambda library: library.ioctl(reader, termios.FIONREAD, waiting))


def _eventfd(room: Room, count: int, size: int) -> Subject:
    counter = room.eventfd(0)
    value = ctypes.create_string_buffer(struct.pack("=Q", 1), 8)

    def turn(library: Any) -> None:
        library.write(counter, value, 8)
        library.read(counter, value, 8)

    return Subject(turn)


def _poll(room: Room, count: int, size: int) -> Subject:
    asked = ctypes.create_string_buffer(struct.pack("=ihh", room.eventfd(1), select.POLLIN, 0), 8)
    return Subject(lambda library: library.poll(asked, 1, -1))


def _epoll(room: Room, count: int, size: int) -> Subject:
    watch = room.keep(select.epoll())
    watch.register(room.eventfd(1), select.EPOLLIN)
    fd, told = watch.fileno(), ctypes.create_string_buffer(16)
    return Subject(lambda library: library.epoll_wait(fd, told, 1, -1))


def _pread(path: str) -> Callable[[Room, int, int], Subject]:
    def prepare(room: Room, count: int, size: int) -> Subject:
        file = room.keep(os.open(path, os.O_RDONLY))
        text = ctypes.create_string_buffer(PAGE)
        return Subject(lambda library: library.pread(file, text, PAGE, 0))

    return prepare


def _pipe(room: Room, count: int, size: int) -> Subject:
    reader, writer = os.pipe()
    room.keep(reader, writer)
    data = ctypes.create_string_buffer(size)

    def turn(library: Any) -> None:
        library.write(writer, data, size)
        library.read(reader, data, size)

    return Subject(turn)


# -- sockets ----------------------------------------------------------------


def _socket(room: Room, count: int, size: int) -> Subject:
    nobody = _address(0)

    def turn(library: Any) -> None:
        fd = library.socket(AF_NETLINK, socket.SOCK_RAW, NETLINK_USERSOCK)
        library.bind(fd, nobody, SockaddrNl.SIZE)
        library.close(fd)

    return Subject(turn)


def _unix(room: Room, count: int, size: int) -> Subject:
    pair = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    room.keep(*pair)
    one, other = (sock.fileno() for sock in pair)
    data = ctypes.create_string_buffer(size)

    def turn(library: Any) -> None:
        library.send(one, data, size, 0)
        library.recv(other, data, size, 0)

    return Subject(turn)


def _sender(room: Room, data: bytes, to: bytes) -> Turn:
    one = room.usersock().fileno()
    size = len(data)
    return lambda library: library.sendto(one, data, size, 0, to, SockaddrNl.SIZE)


def _queued(size: int) -> int:
    """How many messages one may send before somebody receives."""
    return 1 + QUEUE // (2 * size + PAGE)


def _usersock(room: Room, count: int, size: int) -> Subject:
    one, other = room.usersock().fileno(), room.usersock()
    return _asking(one, other.fileno(), bytes(size), _address(other.getsockname()[0]))


def _asking(one: int, other: int, data: bytes, to: bytes) -> Subject:
    size, answer = len(data), ctypes.create_string_buffer(max(len(data), 2 * PAGE))

    def turn(library: Any) -> None:
        library.sendto(one, data, size, 0, to, SockaddrNl.SIZE)
        library.recv(other, answer, len(answer), 0)

    return Subject(turn)


def _refused(room: Room, count: int, size: int) -> Subject:
    return Subject(_sender(room, bytes(size), _address(NOBODY)))


def _recv(room: Room, count: int, size: int) -> Subject:
    one, other = room.usersock(), room.usersock()
    fd, to, data = other.fileno(), other.getsockname(), bytes(size)
    answer = ctypes.create_string_buffer(max(size, PAGE))

    def fill(often: int) -> None:
        for _ in range(often):
            one.sendto(data, to)

    return Subject(
        lambda library: library.recv(fd, answer, len(answer), 0), before=fill, longest=_queued(size)
    )


def _multicast(room: Room, size: int, groups: list[int]) -> Subject:
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(len(groups) + DESCRIPTORS, hard), hard))
    crowd = [room.usersock(mask) for mask in groups]

    def drain() -> None:
        for sock in crowd:
            try:
                while True:
                    sock.recv(LARGEST, socket.MSG_DONTWAIT)
            except BlockingIOError:
                pass

    return Subject(_sender(room, bytes(size), _address(0, GROUP)), after=drain, longest=_queued(size))


def _members(room: Room, count: int, size: int) -> Subject:
    return _multicast(room, size, [GROUP] * count)


def _others(room: Room, count: int, size: int) -> Subject:
    return _multicast(room, size, [*[OTHER_GROUP] * count, GROUP])


def _getfamily(room: Room, count: int, size: int) -> Subject:
    name = struct.pack("<HH", 11, CTRL_ATTR_FAMILY_NAME) + b"nlctrl\0\0"
    body = GenlMsgHdr(cmd=CTRL_CMD_GETFAMILY, version=1).pack() + name
    return _generic(room, GENL_ID_CTRL, NLM_F_REQUEST, body)


def _noop(room: Room, count: int, size: int) -> Subject:
    return _generic(room, NLMSG_NOOP, NLM_F_REQUEST | NLM_F_ACK, bytes(max(size - NlMsgHdr.SIZE, 0)))


def _generic(room: Room, type: int, flags: int, body: bytes) -> Subject:
    fd = room.netlink(NETLINK_GENERIC).fileno()
    header = NlMsgHdr(length=NlMsgHdr.SIZE + len(body), type=type, flags=flags)
    return _asking(fd, fd, header.pack() + body, _address(0))


SUBJECTS: Final[dict[str, Callable[[Room, int, int], Subject]]] = {
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
    "refused": _refused,
    "getfamily": _getfamily,
    "noop": _noop,
    "members": _members,
    "others": _others,
    "recv": _recv,
}
"""By the names that `measure.c` has."""
