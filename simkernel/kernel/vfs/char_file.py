"""The operations of a character device, and the class of its open files. Drivers import the class as `File`.

An open file holds a reference to the driver's module. It stays open when the cdev is deleted. After that
the driver decides what the file's operations return (ENODEV, for example).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from inspect import iscoroutinefunction
from typing import Any, Final, TypeVar

import attrs

from simkernel.engine import Engine
from simkernel.kernel.lib.costs import CostModel
from simkernel.kernel.mm.vma import VmArea
from simkernel.kernel.module.module import LoadedModule
from simkernel.kernel.module.resources import Resource
from simkernel.kernel.oops import Oopses
from simkernel.kernel.sched.completion import Completion
from simkernel.kernel.sched.preempt import Preempt
from simkernel.kernel.sched.wait import WaitQueue
from simkernel.kernel.vfs.file import DEFAULT_POLLMASK, FileObject, OpenFile
from simkernel.kernel.vfs.inode import Inode
from simkernel.kernel.vfs.poll_table import PollTable
from simkernel.kernel.vfs.task import Task
from simkernel.kernel.workqueue import Work, WorkQueue
from simkernel.uapi.errno import EINVAL, ENODEV, ENOTTY, ESPIPE, os_error
from simkernel.uapi.poll import POLLERR

T = TypeVar("T")


@attrs.frozen(kw_only=True)
class FileOperations:
    """The operations of a character device (`struct file_operations`). If an operation is None, the kernel
    does what Linux does for a driver without this operation.

    Each operation may be plain or `async def`, except `poll`, `llseek` and `fasync`.  `file` is a
    `CharDeviceFile`.

    open(file)                     raises OSError to refuse the open
    release(file)                  called when the last descriptor is closed
    read(file, size, position)     returns at most `size` bytes, b"" at the end.  None: EINVAL
    write(file, data, position)    returns the number of bytes taken.  None: EINVAL
    ioctl(file, request, argument) returns an int; `argument` is a value or a user address.  None: ENOTTY
    mmap(file, area)               gives the area its memory.  None: ENODEV
    poll(file, table)              calls poll_wait and returns the events.  None: always ready
    llseek(file, offset, whence)   returns the new position.  None: ESPIPE
    fasync(file, fd, on)           called when O_ASYNC changes.  None: no SIGIO

    If `keeps_position` is True, reads and writes do not move the file position, as those of /dev/zero, which
    do not change `*ppos`.
    """

    open: Callable[[CharDeviceFile], Awaitable[None] | None] | None = None
    release: Callable[[CharDeviceFile], Awaitable[None] | None] | None = None
    read: Callable[[CharDeviceFile, int, int], bytes | Awaitable[bytes]] | None = None
    write: Callable[[CharDeviceFile, bytes, int], int | Awaitable[int]] | None = None
    ioctl: Callable[[CharDeviceFile, int, int], int | Awaitable[int]] | None = None
    mmap: Callable[[CharDeviceFile, VmArea], Awaitable[None] | None] | None = None
    poll: Callable[[CharDeviceFile, PollTable], int] | None = None
    llseek: Callable[[CharDeviceFile, int, int], int] | None = None
    fasync: Callable[[CharDeviceFile, int, bool], None] | None = None
    keeps_position: bool = False


MISSING_ERRNO: Final = {
    "read": EINVAL, "write": EINVAL, "ioctl": ENOTTY, "mmap": ENODEV, "llseek": ESPIPE, "fasync": ENOTTY
}  # fmt: skip
"""Maps an operation to the errno that is raised if the driver does not implement the operation."""
RESULTS: Final[dict[str, type]] = {
    "read": bytes, "write": int, "ioctl": int, "llseek": int, "poll": int, "mmap": type(None)
}  # fmt: skip
"""For each operation of a driver, the type that its result must have."""


@attrs.frozen(eq=False)
class CharDevContext:
    """The parts of the kernel that the files of character devices use."""

    engine: Engine
    costs: CostModel
    oopses: Oopses
    preempt: Preempt
    work_queue: WorkQueue
    current: Callable[[], Task | None]


@attrs.define(eq=False)
class Cdev:
    """A character device (`struct cdev`): its operations, and the device numbers that `cdev_add()` has given
    to it.

    `data` belongs to the driver, which reads it as `file.cdev.data` (C uses container_of()).
    """

    context: CharDevContext
    module: LoadedModule | None
    operations: FileOperations
    data: Any = None
    number: tuple[int, int] = (0, 0)
    count: int = 0
    resource: Resource | None = None


class CharDeviceFile(FileObject):
    """An open file of a character device (`struct file`). Drivers import this class as `File`.

    `private_data` belongs to the driver and is dropped with the file.  A `stream` has no position
    (stream_open() of driverapi).
    """

    __slots__ = ("cdev", "inode", "number", "open_file", "private_data", "stream")

    def __init__(self, cdev: Cdev, inode: Inode, number: tuple[int, int], open_file: OpenFile) -> None:
        self.cdev = cdev
        self.inode: Inode = inode
        self.open_file = open_file
        self.number = number
        self.private_data: Any = None
        self.stream = False

    @property
    def ioctl_table(self) -> str:
        """The name of the device's section in kernel/lib/ioctls.txt: "major:minor"."""
        return f"{self.number[0]}:{self.number[1]}"

    # -- attributes for drivers -------------------------------------------------

    @property
    def flags(self) -> int:
        """The current O_ flags of the file (`f_flags`)."""
        return self.open_file.flags

    @property
    def position(self) -> int:
        """The position of the next read or write in bytes (`f_pos`)."""
        return self.open_file.position

    @position.setter
    def position(self, position: int) -> None:
        self.open_file.position = position

    def current(self) -> Task | None:
        """Return the task for which the kernel works now, or None in interrupts and timers. Functions of
        driverapi call this method.
        """
        return self.cdev.context.current()

    def charge_copy(self, size: int) -> None:
        """Charge the CPU time of copying `size` bytes between kernel and program."""
        context = self.cdev.context
        context.engine.charge(context.costs.copy(size))

    # -- calling the driver -----------------------------------------------------

    def call(self, name: str, *arguments: Any) -> Any:
        """Call an operation of the driver. OSError passes to the caller. Any other exception is an oops of
        the driver's module, and the caller gets EFAULT.

        If the driver does not implement the operation, raise Linux's errno for it.
        """
        function = getattr(self.cdev.operations, name)
        if function is None:
            raise os_error(MISSING_ERRNO[name])
        with self._guard(name):
            result = function(self, *arguments)
            if type(result) is RESULTS.get(name) or not isinstance(result, Awaitable):
                return _checked(name, result)
        return self._finish(name, result)

    async def _finish(self, name: str, pending: Awaitable[T]) -> T:
        with self._guard(name):
            return _checked(name, await pending)

    def _guard(self, name: str) -> Any:
        cdev = self.cdev
        return cdev.context.oopses.guard(cdev.module, f"{name} of {cdev.number[0]}:{cdev.number[1]}")

    async def _copied_later(self, pending: Awaitable[bytes]) -> bytes:
        data = await pending
        self.charge_copy(len(data))
        return data

    # -- operations ---------------------------------------------------------------

    def read(self, task: Task, file: OpenFile, size: int, position: int) -> bytes | Awaitable[bytes]:
        data: bytes | Awaitable[bytes] = self.call("read", size, position)
        if not isinstance(data, bytes):
            return self._copied_later(data)
        self.charge_copy(len(data))
        return data

    def write(self, task: Task, file: OpenFile, data: bytes, position: int) -> int | Awaitable[int]:
        if self.cdev.operations.write is not None:
            self.charge_copy(len(data))
        taken: int | Awaitable[int] = self.call("write", data, position)
        return taken

    def ioctl(self, task: Task, file: OpenFile, request: int, argument: int) -> int | Awaitable[int]:
        result: int | Awaitable[int] = self.call("ioctl", request, argument)
        return result

    def mmap(self, task: Task, file: OpenFile, area: VmArea) -> Awaitable[None] | None:
        pending: Awaitable[None] | None = self.call("mmap", area)
        if pending is not None:
            return self._mapped_later(pending, area)
        self._contain_closing(area)
        return None

    async def _mapped_later(self, pending: Awaitable[None], area: VmArea) -> None:
        await pending
        self._contain_closing(area)

    def _contain_closing(self, area: VmArea) -> None:
        """Wrap the driver's callback `area.closed`: an exception in it becomes an oops and does not
        propagate, because munmap(2) cannot handle it.
        """
        closed = area.closed
        if closed is not None:

            def contained(area: VmArea) -> None:
                with self._contain("munmap"):
                    closed(area)

            area.closed = contained

    @property
    def has_positions(self) -> bool:
        """True if the file has a position, so that pread(2) and pwrite(2) work."""
        return not self.stream

    @property
    def moves(self) -> bool:
        return self.has_positions and not self.cdev.operations.keeps_position

    def llseek(self, task: Task, file: OpenFile, offset: int, whence: int) -> int:
        if self.stream:
            raise os_error(ESPIPE)
        position: int = self.call("llseek", offset, whence)
        return position

    def fasync(self, file: OpenFile, fd: int, on: bool) -> None:
        self.call("fasync", fd, on)

    # -- waiting ------------------------------------------------------------------

    @property
    def can_poll(self) -> bool:
        """True if the driver implements poll."""
        return self.cdev.operations.poll is not None

    def poll(self) -> int:
        """Return the events that the driver's poll reports."""
        return self._call_poll(PollTable())

    def poll_for(self, events: int) -> int:
        """Return the events that the driver's poll reports to a caller that waits for `events`.

        The driver can read the wanted `events` from the poll table.
        """
        return self._call_poll(PollTable(events))

    @property
    def wait_queues(self) -> tuple[WaitQueue, ...]:
        """The wait queues that the driver's poll adds to the poll table (`poll_wait()`)."""
        table = PollTable()
        self._call_poll(table)
        return tuple(table.queues)

    def _call_poll(self, table: PollTable) -> int:
        function = self.cdev.operations.poll
        if function is None:
            return DEFAULT_POLLMASK
        Preempt.evaluating += 1
        try:
            with self._guard("poll"):
                return _checked("poll", function(self, table))
        except OSError:  # vfs_poll() returns no errors, so a failed poll returns POLLERR
            return POLLERR
        finally:
            Preempt.evaluating -= 1

    # -- closing ------------------------------------------------------------------

    def release(self) -> Awaitable[None] | None:
        """Call the driver's release, which may sleep, then drop the reference to its module (`__fput()`)."""
        function = self.cdev.operations.release
        if function is None:
            self.put_module()
            return None
        if iscoroutinefunction(function):
            return self._release_later(function)
        pending = None
        with self._contain("release"):
            pending = function(self)
        if not isinstance(pending, Awaitable):
            self.put_module()
            return None
        return self._release_later(lambda _: pending)

    def _release_later(self, function: Callable[[CharDeviceFile], Awaitable[None]]) -> Awaitable[None]:
        """Make a worker run a release that sleeps, because the caller of `release` may not sleep
        (`delayed_fput()`).

        The release starts when the worker runs. If the machine is switched off at once, it never starts.
        """
        context = self.cdev.context
        done = Completion(context.preempt, "delayed_fput")

        async def work(_: Work) -> None:
            with self._contain("release"):
                await function(self)
            self.put_module()
            done.complete()

        context.work_queue.add(Work(None, "delayed_fput", work))
        return _Released(done)

    def _contain(self, name: str) -> Any:
        cdev = self.cdev
        return cdev.context.oopses.contain(cdev.module, f"{name} of {cdev.number[0]}:{cdev.number[1]}")

    def put_module(self) -> None:
        """Drop the reference to the driver's module (`cdev_put()`)."""
        if self.cdev.module is not None:
            # if the driver has dropped too many references, `put()` raises RuntimeError, which is an oops
            with self._contain("cdev_put"):
                self.cdev.module.put()


def _checked(name: str, result: T) -> T:
    """Check the type of the result of a driver's operation, and return the result.

    A wrong type raises TypeError, which the module's guard reports.
    """
    kind = RESULTS.get(name, object)
    if not isinstance(result, kind):
        raise TypeError(f"{name} returned {result!r}: it must return {kind.__name__}")
    return result


class _Released:
    """An awaitable for a release that runs in a worker. It completes when the release has ended. Callers need
    not await it.
    """

    def __init__(self, done: Completion) -> None:
        self._done = done

    def __await__(self) -> Any:
        return self._done.wait().__await__()
