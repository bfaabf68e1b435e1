"""poll(2) and select(2): waiting for several files at once (fs/select.c)."""

from __future__ import annotations

from collections.abc import Coroutine, Iterable, Sequence
from typing import Any, Final

from simkernel.kernel.parts import KernelParts
from simkernel.kernel.sched.wait import Sleep, WaitQueue
from simkernel.kernel.vfs.file import OpenFile
from simkernel.kernel.vfs.task import Task
from simkernel.uapi import poll as uapi
from simkernel.uapi.errno import EINVAL, os_error

ERRORS: Final = uapi.POLLERR | uapi.POLLNVAL
ALWAYS: Final = uapi.POLLERR | uapi.POLLHUP
"""What is reported whether it is asked for or not."""

SELECT_IN: Final = uapi.POLLRDNORM | uapi.POLLRDBAND | uapi.POLLIN | uapi.POLLHUP | ERRORS
SELECT_OUT: Final = uapi.POLLWRBAND | uapi.POLLWRNORM | uapi.POLLOUT | ERRORS
SELECT_EXCEPT: Final = uapi.POLLPRI | uapi.POLLNVAL
"""What makes a descriptor readable, writable or exceptional (POLLIN_SET and so on)."""
FD_SETSIZE: Final = 1024
POLLFD_SIZE: Final = 8
"""Bytes of a struct pollfd."""

Watched = Sequence[tuple[int, int]]
Ready = list[tuple[int, int]]
Sets = tuple[Sequence[int], Sequence[int], Sequence[int]]
"""Descriptors to read, to write, and for exceptions."""


class Polling(Sleep):
    """A sleep at many files: it is woken only for events that it waits for (`pollwake()`)."""

    __slots__ = ("wanted",)

    def __init__(self, wanted: dict[WaitQueue, int], deadline: int | None) -> None:
        super().__init__(tuple(wanted), True, deadline, False)
        self.wanted = wanted

    def enqueue(self) -> None:
        for queue in self.queues:
            queue.add_first(self)

    def wake_for(self, queue: WaitQueue, events: int) -> bool:
        """Nothing happens if none of its events on this queue is among `events`."""
        if events and not events & self.wanted[queue]:
            return False
        self.wake(True)
        return True


class PollCalls:
    """Which of several files are ready."""

    def __init__(self, kernel: KernelParts) -> None:
        self._engine = kernel.engine
        self._costs = kernel.costs

    def poll(
        self, task: Task, watched: Watched, timeout: int | None = None
    ) -> Ready | Coroutine[Any, Any, Ready]:
        """poll(2): (descriptor, events) of each ready descriptor; `timeout` in ns, None for ever.

        EINVAL for more descriptors than the process may have.
        """
        if len(watched) > task.files.limit:
            raise os_error(EINVAL)
        self._engine.charged += self._costs.copy(len(watched) * POLLFD_SIZE)
        ready = self._ready(task, watched, timeout != 0)
        if ready or timeout == 0:
            return ready
        return self._wait(task, watched, timeout)

    def select(self, task: Task, sets: Sets, timeout: int | None = None) -> Sets | Coroutine[Any, Any, Sets]:
        """select(2): the descriptors of each set that are ready.  EBADF if one is not open.

        A descriptor beyond the table is not looked at and stays in its set (`core_sys_select()`).
        """
        wanted: dict[int, int] = {}
        size = task.files.size
        for fds, events in zip(sets, (SELECT_IN, SELECT_OUT, SELECT_EXCEPT), strict=True):
            for fd in fds:
                if fd < size:
                    task.files.get_raw(fd)
                wanted[fd] = wanted.get(fd, 0) | events
        watched = sorted(each for each in wanted.items() if each[0] < size)
        beyond = [each for each in wanted.items() if each[0] >= size]
        ready = self._ready(task, watched, timeout != 0, 0)
        if ready or timeout == 0:
            return _selected(sets, ready + beyond)
        return self._select_later(task, sets, watched, beyond, timeout)

    async def _select_later(
        self, task: Task, sets: Sets, watched: Watched, beyond: Ready, timeout: int | None
    ) -> Sets:
        return _selected(sets, await self._wait(task, watched, timeout, 0) + beyond)

    async def _wait(self, task: Task, watched: Watched, timeout: int | None, always: int = ALWAYS) -> Ready:
        deadline = None if timeout is None else self._engine.time() + timeout
        files: list[tuple[OpenFile, int]] = [
            (task.files.get(fd), events) for fd, events in watched if fd >= 0
        ]
        for file, _ in files:
            file.get()
        try:
            wanted = _wanted(files)
            while True:
                woken = await Polling(wanted, deadline)
                ready = self._ready(task, watched, always=always)
                if ready or not woken:
                    return ready
        finally:
            self._engine.charged += self._costs.poll_wait * len(watched) // 2
            for file, _ in files:
                file.put()

    def _ready(self, task: Task, watched: Watched, may_wait: bool = False, always: int = ALWAYS) -> Ready:
        """Return the descriptors that are ready now; skip negative ones (`do_poll()`).

        A task that may wait joins the wait queue of each file up to the first that is ready (`__pollwait()`).
        """
        costs = self._costs
        waits = len(watched) if may_wait else 0
        ready: Ready = []
        for index, (fd, mask) in enumerate(watched):
            if fd < 0:
                continue
            try:
                file: OpenFile = task.files.get(fd)
            except OSError:
                events = uapi.POLLNVAL
            else:
                events = file.object.poll_for(mask | always) & (mask | always)
            if events:
                if not ready and may_wait:
                    waits = index + 1
                ready.append((fd, events))
        joined = costs.poll_wait * waits // (1 if ready else 2)  # a task that sleeps leaves the queues later
        self._engine.charged += costs.file + costs.poll * len(watched) + joined
        return ready


def _wanted(files: Iterable[tuple[OpenFile, int]]) -> dict[WaitQueue, int]:
    """Where to wait, and for what there."""
    wanted: dict[WaitQueue, int] = {}
    for file, events in files:
        for queue in file.object.wait_queues:
            wanted[queue] = wanted.get(queue, 0) | events | ALWAYS
    return wanted


def _selected(sets: Sets, ready: Ready) -> Sets:
    events = dict(ready)
    reading, writing, exceptional = (
        [fd for fd in fds if events.get(fd, 0) & mask]
        for fds, mask in zip(sets, (SELECT_IN, SELECT_OUT, SELECT_EXCEPT), strict=True)
    )
    return reading, writing, exceptional
