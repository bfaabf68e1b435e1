"""Open files: what a descriptor stands for, shared by dup and by children."""

from __future__ import annotations

from typing import Protocol

from simkernel.kernel.task.wait import WaitQueue


class FileObject(Protocol):
    """What an open file operates on: a socket, a device.  It does not know who calls.

    Its operations never wait: they raise `WouldBlock` (kernel/task/wait.py).
    """

    def poll(self) -> int:
        """The events of poll(2) that hold now, POLLERR and POLLHUP included."""

    @property
    def wait_queues(self) -> tuple[WaitQueue, ...]:
        """What is woken when `poll()` may have changed."""

    def release(self) -> None:
        """The last descriptor is gone (`file_operations.release`)."""


class OpenFile:
    """An open file description: object, status flags, and how many hold it."""

    __slots__ = ("flags", "object", "references")

    def __init__(self, object: FileObject, flags: int = 0) -> None:
        self.object = object
        self.flags = flags
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
