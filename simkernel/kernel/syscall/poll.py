"""poll(2) and select(2): wait until one of several files is ready (fs/select.c)."""

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
"""Events that poll(2) reports even if they are not requested."""

SELECT_IN: Final = uapi.POLLRDNORM | uapi.POLLRDBAND | uapi.POLLIN | uapi.POLLHUP | ERRORS
SELECT_OUT: Final = uapi.POLLWRBAND | uapi.POLLWRNORM | uapi.POLLOUT | ERRORS
SELECT_EXCEPT: Final = uapi.POLLPRI | uapi.POLLNVAL
"""Events for which select(2) reports a descriptor as readable (SELECT_IN), writable (SELECT_OUT) or
exceptional (SELECT_EXCEPT, Linux's POLLEX_SET).
"""
FD_SETSIZE: Final = 1024
POLLFD_SIZE: Final = 8
"""Size of a struct pollfd in bytes."""

Watched = Sequence[tuple[int, int]]
Ready = list[tuple[int, int]]
Sets = tuple[Sequence[int], Sequence[int], Sequence[int]]
"""The three sets of select(2): descriptors to read, to write, and to watch for exceptions."""


class Polling(Sleep):
    """A sleep in poll(2) or select(2), on the wait queues of several files (`pollwake()`).

    It wakes only for the events that the task waits for.
    """

    __slots__ = ("wanted",)

    def __init__(self, wanted: dict[WaitQueue, int], deadline: int | None) -> None:
        super().__init__(tuple(wanted), True, deadline, False)
        self.wanted = wanted

    def enqueue(self) -> None:
        for queue in self.queues:
            queue.add_first(self)

    def wake_for(self, queue: WaitQueue, events: int) -> bool:
        """If `events` contains an event for which the task waits on this queue, wake the task and return
        True.
        """
        if events and not events & self.wanted[queue]:
            return False
        self.wake(True)
        return True


class PollCalls:
    """Handlers of poll(2) and select(2)."""

    def __init__(self, kernel: KernelParts) -> None:
        self._engine = kernel.engine
        self._costs = kernel.costs

    def poll(
        self, task: Task, watched: Watched, timeout: int | None = None
    ) -> Ready | Coroutine[Any, Any, Ready]:
        """Return (descriptor, events) of each ready descriptor (poll(2)).

        `timeout` is in ns; None waits without a limit.  Raise EINVAL if `watched` has more descriptors
        than the process may open.
        """
        if len(watched) > task.files.limit:
            raise os_error(EINVAL)
        self._engine.charged += self._costs.copy(len(watched) * POLLFD_SIZE)
        ready = self._ready(task, watched, timeout != 0)
        if ready or timeout == 0:
            return ready
        return self._wait(task, watched, timeout)

    def select(self, task: Task, sets: Sets, timeout: int | None = None) -> Sets | Coroutine[Any, Any, Sets]:
        """Return the ready descriptors of each set (select(2)). Raise EBADF if a descriptor is not open.

        A descriptor beyond the size of the descriptor table is not checked.  It stays in its set
        (`core_sys_select()`).
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
        """Return the descriptors that are ready now, each with its events. Skip negative descriptors
        (`do_poll()`).

        If `may_wait`, charge for joining the wait queue of each file up to the first ready one
        (`__pollwait()`).
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
        # the cost of joining wait queues: if the call sleeps, charge half now and half after the sleep
        joined = costs.poll_wait * waits // (1 if ready else 2)
        self._engine.charged += costs.file + costs.poll * len(watched) + joined
        return ready


def _wanted(files: Iterable[tuple[OpenFile, int]]) -> dict[WaitQueue, int]:
    """Return the wait queues of the files, each with the mask of events to wait for."""
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
