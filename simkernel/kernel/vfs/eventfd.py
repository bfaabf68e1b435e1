"""eventfd: a 64-bit counter for notifications between threads, processes and the kernel (fs/eventfd.c)."""

from __future__ import annotations

from functools import partial
from itertools import count
from typing import Final

from simkernel.engine import Engine
from simkernel.kernel.lib.costs import CostModel
from simkernel.kernel.sched.wait import FifoQueue, WaitQueue, WouldBlock
from simkernel.kernel.vfs.file import FileObject, OpenFile
from simkernel.kernel.vfs.task import Task
from simkernel.uapi.errno import EINVAL, os_error
from simkernel.uapi.poll import POLLERR, POLLHUP, POLLIN, POLLOUT
from simkernel.uapi.structure import U64

ULLONG_MAX: Final = (1 << 64) - 1


class EventFd(FileObject):
    """A 64-bit counter (`struct eventfd_ctx`).

    A read returns the whole counter and resets it; with `semaphore` it returns 1 and subtracts 1.  A write
    blocks if the counter would exceed ULLONG_MAX - 1.  `taken` are the numbers of the machine's eventfds:
    a new one gets the lowest free number (`eventfd_ida`).
    """

    __slots__ = ("_costs", "_engine", "_taken", "count", "number", "readers", "semaphore", "wait_queues")

    description = "anon_inode:[eventfd]"

    def __init__(
        self, engine: Engine, costs: CostModel, taken: set[int], value: int, semaphore: bool
    ) -> None:
        self._engine = engine
        self._costs = costs
        self._taken = taken
        self.number = next(number for number in count() if number not in taken)
        taken.add(self.number)
        self.count = value
        self.semaphore = semaphore
        self.readers: WaitQueue = FifoQueue("an eventfd")
        self.wait_queues: tuple[WaitQueue, ...] = (
            self.readers,
        )  # one queue for readers and writers, as on Linux

    def poll(self) -> int:
        """Return the poll events: readable above 0, writable below ULLONG_MAX - 1 (`eventfd_poll()`)."""
        count = self.count
        return (
            (POLLIN if count else 0)
            | (POLLERR if count == ULLONG_MAX else 0)
            | (POLLOUT if count < ULLONG_MAX - 1 else 0)
        )

    def read(self, task: Task, file: OpenFile, size: int, position: int) -> bytes | None:
        """Return the counter as 8 bytes and reset it to 0. With EFD_SEMAPHORE, return 1 and subtract 1.
        Return None if the counter is 0. Raise EINVAL if `size` is below 8.
        """
        if size < U64.size:
            raise os_error(EINVAL)
        if not self.count:
            return None
        value = 1 if self.semaphore else self.count
        self.count -= value
        try:
            self._engine.charged += self._costs.copy(U64.size)
        finally:  # the counter has changed even if the copy to the program raises EFAULT
            self.readers.wake_up_poll(POLLOUT)
        return U64.pack(value)

    def write(self, task: Task, file: OpenFile, data: bytes, position: int) -> int:
        """Add the 8-byte integer in `data` to the counter. Raise EINVAL if the integer is ULLONG_MAX, or if
        `data` has another size.
        """
        if len(data) != U64.size:
            raise os_error(EINVAL)
        (value,) = U64.unpack(data)
        if value == ULLONG_MAX:
            raise os_error(EINVAL)
        self._engine.charged += self._costs.copy(U64.size)
        return self._add(value)

    def _add(self, value: int) -> int:
        if ULLONG_MAX - self.count <= value:
            raise WouldBlock(self.readers, partial(self._add, value))
        self.count += value
        self.readers.wake_up_poll(POLLIN)
        return U64.size

    def signal(self) -> None:
        """Add 1 to the counter on behalf of the kernel. Unlike a write, this can set the counter to
        ULLONG_MAX (`eventfd_signal()`).
        """
        if self.count < ULLONG_MAX:
            self.count += 1
        self.readers.wake_up_poll(POLLIN)

    def llseek(self, task: Task, file: OpenFile, offset: int, whence: int) -> int:
        """Return 0 and change nothing, because the file has no position (`noop_llseek()`)."""
        return 0

    def release(self) -> None:
        """Free the eventfd's number and wake its pollers (`eventfd_release()`)."""
        self._taken.discard(self.number)
        self.readers.wake_up_poll(POLLHUP)

    def fdinfo(self) -> str:
        """Return the counter, the id and the EFD_SEMAPHORE flag as text (`eventfd_show_fdinfo()`)."""
        return (
            f"eventfd-count: {self.count:16x}\neventfd-id: {self.number}\n"
            f"eventfd-semaphore: {self.semaphore:d}\n"
        )
