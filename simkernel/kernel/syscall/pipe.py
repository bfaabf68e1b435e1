"""System calls that make files without a path: pipe2(2) and eventfd2(2)."""

from __future__ import annotations

from itertools import count

from simkernel.kernel.lib.fault import check_fault
from simkernel.kernel.parts import KernelParts
from simkernel.kernel.vfs.eventfd import EventFd
from simkernel.kernel.vfs.file import OpenFile
from simkernel.kernel.vfs.pipe import Pipe, PipeEnd
from simkernel.kernel.vfs.task import Task
from simkernel.uapi.errno import EINVAL, os_error
from simkernel.uapi.eventfd import EFD_CLOEXEC, EFD_NONBLOCK, EFD_SEMAPHORE
from simkernel.uapi.fcntl import O_CLOEXEC, O_DIRECT, O_NONBLOCK, O_RDONLY, O_RDWR, O_WRONLY

O_NOTIFICATION_PIPE = 0o200
"""Flag of pipe2(2) for the kernel's notifications (include/uapi/linux/watch_queue.h).  It equals O_EXCL."""


class PipeCalls:
    """Handlers of pipe2(2) and eventfd2(2)."""

    def __init__(self, kernel: KernelParts) -> None:
        self._kernel = kernel
        self._engine = kernel.engine
        self._costs = kernel.costs
        self._numbers = count(1)
        self._eventfds: set[int] = set()

    def pipe2(self, task: Task, flags: int = 0) -> tuple[int, int]:
        """Create a pipe and return the descriptors of its read end and write end (pipe2(2))."""
        if flags & O_NOTIFICATION_PIPE:
            raise self._kernel.unmodelled("pipe2 with O_NOTIFICATION_PIPE is not modelled", EINVAL)
        if flags & ~(O_CLOEXEC | O_NONBLOCK | O_DIRECT):
            raise os_error(EINVAL)
        pipe = Pipe(self._engine, self._costs, next(self._numbers), task.credentials)
        mode = flags & O_NONBLOCK
        reader = OpenFile(PipeEnd(pipe, reading=True), O_RDONLY | mode)
        writer = OpenFile(PipeEnd(pipe, writing=True), O_WRONLY | mode | (flags & O_DIRECT))
        return install_pair(self._kernel, task, reader, writer, flags)

    def eventfd2(self, task: Task, value: int, flags: int = 0) -> int:
        """Create an eventfd and return its descriptor (eventfd2(2))."""
        if flags & ~(EFD_SEMAPHORE | EFD_CLOEXEC | EFD_NONBLOCK):
            raise os_error(EINVAL)
        check_fault(self._kernel.faults, "kmalloc", what="eventfd")
        semaphore = bool(flags & EFD_SEMAPHORE)
        eventfd = EventFd(self._engine, self._costs, self._eventfds, value & 0xFFFFFFFF, semaphore)
        self._engine.charged += self._costs.file_open
        file = OpenFile(eventfd, O_RDWR | (flags & EFD_NONBLOCK))
        return task.files.install_new(file, close_on_exec=bool(flags & EFD_CLOEXEC))


def install_pair(
    kernel: KernelParts, task: Task, first: OpenFile, second: OpenFile, flags: int
) -> tuple[int, int]:
    """Install a descriptor for each of two new files. If one installation fails (EMFILE), neither file keeps
    a descriptor.
    """
    kernel.engine.charged += 2 * kernel.costs.file_open
    close_on_exec = bool(flags & O_CLOEXEC)
    try:
        one = task.files.install_new(first, close_on_exec=close_on_exec)
    except OSError:
        second.get().put()
        raise
    try:
        return one, task.files.install_new(second, close_on_exec=close_on_exec)
    except OSError:
        task.files.close(one)
        raise
