"""A host file descriptor that is readable while a simulated file is readable.  Event loops of the host can
poll it.

It is readable exactly while the simulated file is readable or has an error.  It is an eventfd, or one end
of a socket pair on hosts without eventfd.  It is made only on request.  The client never reads or writes
it, and it never appears in a trace.
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
"""The number 1 as 8 bytes. A write of them to an eventfd adds 1 to its counter."""


class Flag(Protocol):
    """A host file descriptor that programs of the host can poll.  `up()` makes it readable, and `down()`
    makes it not readable.

    The descriptor is always writable.
    """

    def fileno(self) -> int:
        """Return the host descriptor, or -1 if it is closed."""

    def up(self) -> None:
        """Make the descriptor readable.  Call this only while it is not readable."""

    def down(self) -> None:
        """Make the descriptor not readable.  Call this only while it is readable."""

    def close(self) -> None:
        """Close the descriptor.  No effect if it is closed."""


class Eventfd:
    """A host descriptor from eventfd(2).  It is cheaper than a socket pair."""

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
    """A host descriptor from a socket pair, for hosts without eventfd."""

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
    """A host file descriptor that is readable while a simulated file is readable. The wait queues of the
    simulated file contain this object, and each wake-up updates the host descriptor.

    Like an epoll item it stays in the wait queues.  A read wakes no wait queue, so `SyncRunner` calls
    `update` after each call.
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
        """Return the host descriptor, or -1 if it is closed."""
        return self._flag.fileno()

    def wake(self, woken: bool) -> None:
        """Update the host descriptor, because a wait queue of the simulated file was woken."""
        self.update()

    def wake_for(self, queue: WaitQueue, events: int) -> bool:
        """Update the host descriptor, because a wait queue of the simulated file was woken for the poll
        events `events`.
        """
        self.update()
        return True

    def update(self) -> None:
        """Make the host descriptor readable if the simulated file is readable, else not readable."""
        readable = bool(self._object.poll() & READABLE)
        if readable and not self._readable:
            self._flag.up()
        elif self._readable and not readable:
            self._flag.down()
        self._readable = readable

    def close(self) -> None:
        """Remove this object from the wait queues of the simulated file, and close the host descriptor. No
        effect if the host descriptor is closed already.
        """
        for queue in self._object.wait_queues:
            queue.discard(self)
        self._flag.close()
