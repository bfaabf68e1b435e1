"""Calls on descriptors: close, dup, fcntl, poll."""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from typing import TYPE_CHECKING, Any

from simkernel.kernel.task.task import Task
from simkernel.kernel.task.wait import WaitQueue, sleep_on
from simkernel.uapi.errno import EBADF, EINVAL, ENOTTY, os_error
from simkernel.uapi.fcntl import F_DUPFD, F_GETFL, F_SETFL, O_NONBLOCK
from simkernel.uapi.poll import POLLERR, POLLHUP, POLLNVAL

if TYPE_CHECKING:
    from simkernel.kernel.kernel import Kernel

FIONBIO = 0x5421
"""include/uapi/asm-generic/ioctls.h"""

Watched = Sequence[tuple[int, int]]
Ready = list[tuple[int, int]]


class FileCalls:
    """What every kind of open file takes."""

    CALLS = ("close", "dup", "dup2", "fcntl", "ioctl", "poll")

    def __init__(self, kernel: Kernel) -> None:
        self._engine = kernel.engine
        self._unmodelled = kernel.unmodelled

    def close(self, task: Task, fd: int) -> None:
        """close(2)."""
        task.files.close(fd)

    def dup(self, task: Task, fd: int) -> int:
        """dup(2): another descriptor for the same open file."""
        return task.files.install(task.files.get(fd))

    def dup2(self, task: Task, fd: int, other: int) -> int:
        """dup2(2): `other` for the same open file, closing what it was."""
        return task.files.install_at(other, task.files.get(fd))

    def fcntl(self, task: Task, fd: int, command: int, argument: int = 0) -> int:
        """fcntl(2): F_DUPFD (the lowest free descriptor), F_GETFL, F_SETFL (O_NONBLOCK)."""
        file = task.files.get(fd)
        if command == F_GETFL:
            return file.flags
        if command == F_SETFL:
            file.flags = (file.flags & ~O_NONBLOCK) | (argument & O_NONBLOCK)
            return 0
        if command == F_DUPFD and argument == 0:
            return task.files.install(file)
        raise self._unmodelled(f"fcntl command {command}", EINVAL)

    def ioctl(self, task: Task, fd: int, request: int, argument: int = 0) -> int:
        """ioctl(2): FIONBIO, which every file takes; ENOTTY for what the object does not know."""
        file = task.files.get(fd)
        if request != FIONBIO:
            raise os_error(ENOTTY)
        file.flags = (file.flags & ~O_NONBLOCK) | (O_NONBLOCK if argument else 0)
        return 0

    def poll(
        self, task: Task, watched: Watched, timeout: int | None = None
    ) -> Ready | Coroutine[Any, Any, Ready]:
        """poll(2): (descriptor, events) of those that have any; `timeout` in ns, None for ever."""
        ready = _ready(task, watched)
        if ready or timeout == 0:
            return ready
        deadline = None if timeout is None else self._engine.time() + timeout
        return self._wait(task, watched, deadline)

    @staticmethod
    async def _wait(task: Task, watched: Watched, deadline: int | None) -> Ready:
        queues: list[WaitQueue] = []
        for fd, _ in watched:
            queues += task.files.get(fd).object.wait_queues
        while True:
            woken = await sleep_on(*queues, deadline=deadline)
            ready = _ready(task, watched)
            if ready or not woken:
                return ready


def _ready(task: Task, watched: Watched) -> Ready:
    ready = []
    for fd, mask in watched:
        try:
            file = task.files.get(fd)
        except OSError as error:
            if error.errno != EBADF:
                raise
            events = POLLNVAL
        else:
            events = file.object.poll() & (mask | POLLERR | POLLHUP)
        if events:
            ready.append((fd, events))
    return ready
