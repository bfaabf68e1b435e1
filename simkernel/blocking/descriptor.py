"""A real file descriptor whose readiness follows a simulated one, for clients that poll for themselves.

It is readable exactly while the simulated file is readable (or has an error): an eventfd that counts
one then, and where there are none one end of a socket pair whose other end has written a byte.  Such a
descriptor is made only when somebody asks for it; nothing is ever read from it or written to it by the
client, and it never enters a trace.
"""

from __future__ import annotations

import os
import socket
import sys
from io import FileIO
from typing import Protocol

from simkernel.kernel.sched.wait import WaitQueue
from simkernel.kernel.vfs.file import OpenFile
from simkernel.uapi.poll import POLLERR, POLLHUP, POLLIN

READABLE = POLLIN | POLLERR | POLLHUP

_ONE = (1).to_bytes(8, sys.byteorder)
"""What is written to an eventfd: by how much it is to count on."""


class Flag(Protocol):
    """A real descriptor that is readable while the flag is up, and always writable."""

    def fileno(self) -> int:
        """Its number; -1 once closed."""

    def up(self) -> None:
        """Let it be readable, which it is not."""

    def down(self) -> None:
        """Let it not be readable, which it is."""

    def close(self) -> None:
        """Give it back.  Harmless when that has been done."""


class Eventfd:
    """A flag that is an eventfd(2): a third of a pair's price."""

    def __init__(self) -> None:
        self._file = FileIO(os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK), "r+")

    def fileno(self) -> int:
        return -1 if self._file.closed else self._file.fileno()

    def up(self) -> None:
        self._file.write(_ONE)

    def down(self) -> None:
        self._file.read(len(_ONE))

    def close(self) -> None:
        self._file.close()


class Pair:
    """A flag that is a socket pair, which every system has."""

    def __init__(self) -> None:
        self._shown, self._ours = socket.socketpair()
        self._shown.setblocking(False)

    def fileno(self) -> int:
        return self._shown.fileno()

    def up(self) -> None:
        self._ours.send(b"!")

    def down(self) -> None:
        self._shown.recv(1)

    def close(self) -> None:
        self._shown.close()
        self._ours.close()


FLAG: type[Flag] = Eventfd if hasattr(os, "eventfd") else Pair


class RealDescriptor:
    """The flag, and the place in the simulated file's wait queues that keeps it up to date.

    It stands in the queues for good, as epoll(7) does; that something was read it is told by `update`.
    """

    exclusive = False

    def __init__(self, file: OpenFile) -> None:
        self._object = file.object
        self._flag = FLAG()
        self._readable = False
        for queue in self._object.wait_queues:
            queue.add(self)
        self.update()

    def fileno(self) -> int:
        """The real descriptor's number; -1 once closed."""
        return self._flag.fileno()

    def wake(self, woken: bool) -> None:
        """Something happened to the simulated file."""
        self.update()

    def wake_for(self, queue: WaitQueue, events: int) -> bool:
        """The same."""
        self.update()
        return True

    def update(self) -> None:
        """Let the real descriptor be readable exactly if the simulated file is."""
        readable = bool(self._object.poll() & READABLE)
        if readable and not self._readable:
            self._flag.up()
        elif self._readable and not readable:
            self._flag.down()
        self._readable = readable

    def close(self) -> None:
        """Give both ends back.  Harmless when that has been done."""
        for queue in self._object.wait_queues:
            queue.discard(self)
        self._flag.close()
