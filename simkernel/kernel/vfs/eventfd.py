"""eventfd: a counter that one adds to and another waits for (fs/eventfd.c)."""

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
    """A counter of 64 bits (`struct eventfd_ctx`).

    A read takes all of it, or 1 of a `semaphore`.  A write that would reach the largest number waits.
    `taken` are the numbers of the machine's eventfds: a new one gets the lowest free one (`eventfd_ida`).
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
        self.wait_queues: tuple[WaitQueue, ...] = (self.readers,)  # of writers, too

    def poll(self) -> int:
        """`eventfd_poll()`."""
        count = self.count
        return (
            (POLLIN if count else 0)
            | (POLLERR if count == ULLONG_MAX else 0)
            | (POLLOUT if count < ULLONG_MAX - 1 else 0)
        )

    def read(self, task: Task, file: OpenFile, size: int, position: int) -> bytes | None:
        """The counter in 8 bytes.  EINVAL if there is no room for them."""
        if size < U64.size:
            raise os_error(EINVAL)
        if not self.count:
            return None
        value = 1 if self.semaphore else self.count
        self.count -= value
        try:
            self._engine.charged += self._costs.copy(U64.size)
        finally:  # EFAULT: the count is taken
            self.readers.wake_up_poll(POLLOUT)
        return U64.pack(value)

    def write(self, task: Task, file: OpenFile, data: bytes, position: int) -> int:
        """Add what is in the 8 bytes.  EINVAL for the largest number, and for another size."""
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
        """The kernel counts one more event, which may reach the largest number (`eventfd_signal()`)."""
        if self.count < ULLONG_MAX:
            self.count += 1
        self.readers.wake_up_poll(POLLIN)

    def llseek(self, task: Task, file: OpenFile, offset: int, whence: int) -> int:
        """Nothing (`noop_llseek()`): it has no position that ever moves."""
        return 0

    def release(self) -> None:
        """`eventfd_release()`."""
        self._taken.discard(self.number)
        self.readers.wake_up_poll(POLLHUP)

    def fdinfo(self) -> str:
        """`eventfd_show_fdinfo()`."""
        return (
            f"eventfd-count: {self.count:16x}\neventfd-id: {self.number}\n"
            f"eventfd-semaphore: {self.semaphore:d}\n"
        )
