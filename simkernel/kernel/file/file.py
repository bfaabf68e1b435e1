"""Open files: what a descriptor stands for, shared by dup and by children."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from simkernel.kernel.task.wait import WaitQueue

if TYPE_CHECKING:
    from simkernel.kernel.file.socket import SocketObject


class FileObject(Protocol):
    """What an open file operates on: a socket, a device.  It does not know who calls.

    Its operations never wait: they raise `WouldBlock` (kernel/task/wait.py), or give nothing.
    """

    def poll(self) -> int:
        """The events of poll(2) that hold now, POLLERR and POLLHUP included."""

    @property
    def wait_queues(self) -> tuple[WaitQueue, ...]:
        """What is woken when `poll()` may have changed."""

    def release(self) -> None:
        """The last descriptor is gone (`file_operations.release`)."""


class OpenFile:
    """An open file description: object, status flags, and how many hold it.

    `socket` is the object once more if it is a socket.
    """

    __slots__ = ("flags", "object", "references", "socket")

    def __init__(self, object: FileObject, flags: int = 0, socket: SocketObject | None = None) -> None:
        self.object = object
        self.flags = flags
        self.socket = socket
        self.references = 0

    def get(self) -> OpenFile:
        """One more holder (`get_file()`)."""
        self.references += 1
        return self

    def put(self) -> None:
        """One holder less; the last one releases the object (`fput()`)."""
        self.references -= 1
        if self.references == 0:
            self.object.release()
