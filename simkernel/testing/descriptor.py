"""A real file descriptor whose readiness follows a simulated one, for clients that poll for themselves.

It is one end of a socket pair: the other end has written a byte exactly while the simulated file is
readable (or has an error).  Such a descriptor is made only when somebody asks for it; nothing is
ever read from it or written to it by the client, and it never enters a trace.
"""

from __future__ import annotations

import socket

from simkernel.kernel.file.file import OpenFile
from simkernel.kernel.task.wait import WaitQueue
from simkernel.uapi.poll import POLLERR, POLLHUP, POLLIN

READABLE = POLLIN | POLLERR | POLLHUP


class RealDescriptor:
    """The pair, and the place in the simulated file's wait queues that keeps it up to date.

    It stands in the queues for good, as epoll(7) does; that something was read it is told by `update`.
    """

    exclusive = False

    def __init__(self, file: OpenFile) -> None:
        self._object = file.object
        self._shown, self._ours = socket.socketpair()
        self._shown.setblocking(False)
        self._readable = False
        for queue in self._object.wait_queues:
            queue.add(self)
        self.update()

    def fileno(self) -> int:
        """The real descriptor's number; -1 once closed."""
        return self._shown.fileno()

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
            self._ours.send(b"!")
        elif self._readable and not readable:
            self._shown.recv(1)
        self._readable = readable

    def close(self) -> None:
        """Give both ends back.  Harmless when that has been done."""
        for queue in self._object.wait_queues:
            queue.discard(self)
        self._shown.close()
        self._ours.close()
