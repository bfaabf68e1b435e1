"""The epoll system calls: epoll_create1(2), epoll_ctl(2) and epoll_wait(2)."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, Final

from simkernel.kernel.lib.fault import check_fault
from simkernel.kernel.parts import KernelParts
from simkernel.kernel.sched.wait import Sleep, WaitQueue
from simkernel.kernel.vfs.eventpoll import Event, EventPoll
from simkernel.kernel.vfs.file import OpenFile
from simkernel.kernel.vfs.task import Task
from simkernel.uapi.errno import EINVAL, EPERM, os_error
from simkernel.uapi.eventpoll import EPOLL_CLOEXEC, EpollEvent
from simkernel.uapi.fcntl import O_RDWR

MAX_EVENTS: Final = ((1 << 31) - 1) // EpollEvent.SIZE
"""Maximum number of events that one epoll_wait(2) may request (EP_MAX_EVENTS)."""


class Waiting(Sleep):
    """The sleep of a task in epoll_wait(2). If several tasks sleep on one epoll file, a wake-up wakes only
    the task that began to wait last (`ep_poll()`).
    """

    __slots__ = ()

    def __init__(self, queue: WaitQueue, deadline: int | None) -> None:
        super().__init__((queue,), True, deadline, True)
        self.queue = None

    def enqueue(self) -> None:
        """Add this sleep at the head of its wait queue."""
        self.queues[0].add_first(self)


class EpollCalls:
    """Handlers of the epoll system calls."""

    def __init__(self, kernel: KernelParts) -> None:
        self._engine = kernel.engine
        self._faults = kernel.faults
        self._costs = kernel.plain_costs

    def epoll_create1(self, task: Task, flags: int = 0) -> int:
        """Create an epoll file and return its descriptor (epoll_create1(2))."""
        if flags & ~EPOLL_CLOEXEC:
            raise os_error(EINVAL)
        check_fault(self._faults, "kmalloc", what="epoll")
        epoll = EventPoll(self._engine, self._costs)
        epoll.file = OpenFile(epoll, O_RDWR)
        self._engine.charged += self._costs.file_open
        return task.files.install(epoll.file, close_on_exec=bool(flags))

    def epoll_ctl(
        self, task: Task, epfd: int, operation: int, fd: int, events: int = 0, data: int = 0
    ) -> None:
        """Add, change or remove an entry of an epoll file (epoll_ctl(2)).

        Raises EBADF, EPERM, EINVAL, EEXIST, ENOENT or ELOOP.
        """
        epoll = task.files.get(epfd).object
        file: OpenFile = task.files.get(fd)
        self._engine.charged += 2 * self._costs.file
        if not file.object.can_poll:
            raise os_error(EPERM)
        if not isinstance(epoll, EventPoll):
            raise os_error(EINVAL)
        epoll.control(operation, file, fd, events & 0xFFFFFFFF, data)

    def epoll_wait(
        self, task: Task, epfd: int, maxevents: int, timeout: int | None = None
    ) -> list[Event] | Coroutine[Any, Any, list[Event]]:
        """Return up to `maxevents` (events, data) pairs (epoll_wait(2)).

        `timeout` is in ns; None waits without a limit.
        """
        if not 0 < maxevents <= MAX_EVENTS:
            raise os_error(EINVAL)
        file: OpenFile = task.files.get(epfd)
        epoll = file.object
        if not isinstance(epoll, EventPoll):
            raise os_error(EINVAL)
        self._engine.charged += self._costs.file
        found = self._send_events(epoll, maxevents)
        if found or timeout == 0:
            return found
        deadline = None if timeout is None else self._engine.time() + timeout
        return self._wait(file, epoll, maxevents, deadline)

    def _send_events(self, epoll: EventPoll, maxevents: int) -> list[Event]:
        if self._faults is not None and epoll.ready:  # an event stays ready if its copy to user space fails
            self._faults.check_copy(EpollEvent.SIZE)
        found = epoll.send_events(maxevents) if epoll.ready else []
        self._engine.charged += self._costs.copy(len(found) * EpollEvent.SIZE)
        return found

    async def _wait(
        self, file: OpenFile, epoll: EventPoll, maxevents: int, deadline: int | None
    ) -> list[Event]:
        file.get()
        try:
            while True:
                woken = await Waiting(epoll.waiters, deadline)
                found = self._send_events(epoll, maxevents)
                if found or not woken:
                    return found
        finally:
            file.put()
