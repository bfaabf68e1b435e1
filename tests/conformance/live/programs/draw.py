"""Random arguments for one step of a program: descriptors, paths, names and data.

simkernel has executed the steps before, so the arguments mostly fit: an open descriptor of the right kind.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from functools import cached_property
from random import Random
from typing import Any, Final

from simkernel.kernel.vfs.tmpfs import TmpfsDirectory
from simkernel.uapi import eventpoll as ep
from simkernel.uapi.socket import MSG_DONTWAIT, MSG_NOSIGNAL, MSG_PEEK, MSG_TRUNC, MSG_WAITALL
from tests.conformance.live.programs.sides import SimulatedSide
from tests.conformance.live.programs.steps import ProgramPid
from tests.conformance.programs.interface import MNT

USERS: Final = tuple(
    (*ids, MNT) for ids in ((0, 0, ()), (1000, 1000, (100,)), (1001, 100, ()), (1000, 7, ()))
)
MAX_PROGRAMS: Final = 5
MAX_OPEN: Final = 24
"""If a program has more open descriptors than this number, most of its steps close one."""
SIOCOUTQ: Final = 0x5411
FD_SETSIZE: Final = 1024
SOCK_NONBLOCK: Final = os.O_NONBLOCK
SIGNALS: Final = tuple(map(int, (
    signal.SIGUSR1, signal.SIGUSR1, signal.SIGUSR2, signal.SIGTERM, signal.SIGPIPE, signal.SIGCHLD,
    signal.SIGCHLD, signal.SIGURG, signal.SIGIO, signal.SIGINT,)))  # fmt: skip
DATA: Final = (b"a", b"bc", b"8 bytes!", b"\1" + bytes(7), b"\xff" * 8, b"\xfe" + b"\xff" * 7, b"",
               b"x" * 100, b"p" * 4095, b"q" * 4096, b"r" * 4097, b"s" * 20_000, b"t" * 70_000)  # fmt: skip
COUNTS: Final = (b"\1" + bytes(7), b"\5" + bytes(7), b"\xff" * 8, b"\xfe" + b"\xff" * 7, bytes(8))
"""Values to write to an eventfd."""
SIZES: Final = (0, 1, 2, 7, 8, 100, 4096, 5000, 70_000)
EVENTS: Final = (1, 4, 5, 7, 0, 2, 0x2001, 0x2005, 0x18)
HOW: Final = (0, 0, 0, ep.EPOLLET, ep.EPOLLONESHOT, ep.EPOLLEXCLUSIVE, ep.EPOLLET | ep.EPOLLONESHOT)
MODES: Final = (0o777, 0o755, 0o700, 0o644, 0o666, 0o600, 0o555, 0o000, 0o1777, 0o2775, 0o2777, 0o4755,
                0o6755, 0o2644, 0o070, 0o640)  # fmt: skip
IDS: Final = (-1, -1, 0, 1000, 1001, 100, 7)
NAMES: Final = (*"abcdabcdabcd", "p", "s", "l", ".", "..", "n" * 255, "n" * 256)
PATHS: Final = ("", "/", ".", "..", "a", "b", "c", "d", "a/b", "a/", "b/", "l", "p", "s", "x/" * 2047 + "y",
                "/case/a", "/null", "/zero", "/null/")  # fmt: skip
ACCESSES: Final = (os.O_RDONLY, os.O_RDONLY, os.O_WRONLY, os.O_RDWR, os.O_RDWR, os.O_RDWR, 3)
FLAGS: Final = (os.O_CREAT, os.O_CREAT, os.O_CREAT, os.O_EXCL, os.O_TRUNC, os.O_APPEND, os.O_DIRECTORY,
                os.O_NOFOLLOW, os.O_NONBLOCK, os.O_NONBLOCK, os.O_CLOEXEC, os.O_NOATIME)  # fmt: skip
SOCKETS: Final = (1, 1, 2, 5)
MSG: Final = (0, 0, 0, 0, MSG_DONTWAIT, MSG_PEEK, MSG_PEEK | MSG_DONTWAIT, MSG_TRUNC, MSG_WAITALL,
              MSG_DONTWAIT | MSG_TRUNC)  # fmt: skip
SEND: Final = (0, 0, 0, MSG_DONTWAIT, MSG_NOSIGNAL, MSG_DONTWAIT | MSG_NOSIGNAL)

KINDS: Final[dict[str, tuple[str, ...]]] = {
    "pipe": ("PipeEnd", "FifoEnd"),
    "eventfd": ("EventFd",),
    "epoll": ("EventPoll",),
    "socket": ("StreamSocket", "DatagramSocket", "SeqpacketSocket"),
    "file": ("RegularFile",),
    "folder": ("DirectoryFile",),
    "path": ("RegularFile", "DirectoryFile", "FifoEnd"),
    "stream": ("PipeEnd", "FifoEnd", "EventFd", "StreamSocket", "DatagramSocket", "SeqpacketSocket"),
    "readable": ("PipeEnd", "FifoEnd", "EventFd", "StreamSocket", "DatagramSocket", "RegularFile"),
}
"""Kinds of descriptors. The key is the kind. The value contains the names of simkernel's classes for open
files of this kind.
"""


class Draw:
    """Random arguments for one step of a program."""

    def __init__(self, random: Random, side: SimulatedSide, place: int, number: int) -> None:
        self.random = random
        self.choice = random.choice
        self.side = side
        self.place = place
        self.number = number
        files = [(fd, file) for fd, file in side.programs.all[place].task.files.items() if fd > 2]
        self.open = [(fd, type(file.object).__name__) for fd, file in files]
        self._readable = {fd for fd, file in files if file.readable}
        self._writable = {fd for fd, file in files if file.writable}

    @cached_property
    def _paths(self) -> list[str]:
        """Return the paths below the programs' directory, up to two levels deep."""
        found: list[str] = []
        folder = self.side.folder
        for child in folder.inode.children():
            found.append(self.choice(("", "", "/case/")) + child.name)
            if isinstance(child.inode, TmpfsDirectory):
                found += [f"{child.name}/{each.name}" for each in child.inode.children()]
        return found

    def chance(self, share: float) -> bool:
        return self.random.random() < share

    def fd(self, kind: str = "") -> int:
        """Return a descriptor, mostly an open one of the given kind."""
        if self.chance(0.03):
            return self.choice((-1, 0, 1, 60, 1023, 1024, 5000))
        fitting = [fd for fd, name in self.open if not kind or name in KINDS[kind]]
        if fitting and self.chance(0.93):
            return self.choice(fitting)
        return self.choice(self.open)[0] if self.open else 3

    def source(self, kind: str = "readable") -> int:
        """Return a descriptor, mostly one that is open for reading."""
        return self._among(self._readable, kind)

    def sink(self, kind: str = "readable") -> int:
        """Return a descriptor, mostly one that is open for writing."""
        return self._among(self._writable, kind)

    def _among(self, fds: set[int], kind: str) -> int:
        fitting = [fd for fd, name in self.open if name in KINDS[kind] and fd in fds]
        return self.choice(fitting) if fitting and self.chance(0.9) else self.fd(kind)

    def written(self, kind: str = "readable") -> Sequence[Any]:
        """Return a descriptor and data to write to it."""
        fd = self.sink(kind)
        if dict(self.open).get(fd) == "EventFd" and self.chance(0.85):
            return fd, self.choice(COUNTS)
        return fd, self.choice(DATA)

    def fds(self, most: int = 4) -> list[int]:
        return [self.fd("stream") for _ in range(self.random.randint(1, most))]

    def few(self, most: int) -> list[int]:
        """Return at most `most` random descriptors below 64, for an fd_set of select(2)."""
        return [fd for fd in self.fds(most) if 0 <= fd < 64]

    def only(self, kind: str) -> int:
        """Return a descriptor of the given kind, or one that is not open."""
        fd = self.fd(kind)
        return fd if dict(self.open).get(fd) in KINDS[kind] else 60

    def path(self) -> str:
        if self.chance(0.55):
            return self.simple()
        if self.chance(0.4):
            return self.choice(PATHS)
        parts = [self.choice(NAMES) for _ in range(self.choice((1, 1, 1, 2, 2, 3)))]
        return (
            self.choice(("", "", "", "/", "//", "./")) + "/".join(parts) + self.choice(("", "", "", "", "/"))
        )

    def simple(self) -> str:
        """Return a path in the programs' directory, often that of an existing file."""
        if self._paths and self.chance(0.8):
            return self.choice(self._paths) + self.choice(("", "", "", "", "", "", "/", "/a", "/../b"))
        return self.choice(("a", "b", "c", "d", "l", "p", "s", "a/b", "d/a", "d/b"))

    def name(self) -> Any:
        """Return the address of a unix socket: an abstract name or a path."""
        if self.chance(0.75):
            return b"\0%d-%d" % (self.number, self.random.randint(0, 1))
        return self.choice(("s", "t", "a", "d/s", "nobody/s", "s/", "", b"\0"))

    def any_pid(self) -> ProgramPid:
        return ProgramPid(self.random.randrange(len(self.side.programs.all)))

    def nonblock(self) -> int:
        return os.O_NONBLOCK if self.chance(0.75) else 0

    def open_flags(self) -> int:
        flags = self.choice(ACCESSES)
        for _ in range(self.choice((0, 1, 1, 2, 3))):
            flags |= self.choice(FLAGS)
        return flags

    def timeout(self) -> int | None:
        return None if self.chance(0.1) else 0
