"""Character devices: numbers, who serves them, and the files that programs open (fs/char_dev.c).

A driver reserves a region of numbers and puts a `Cdev` with its `FileOperations` on it.  Whoever opens
a node with such a number gets a `CharDeviceFile`, which is what the driver knows as `File`.  An open
file holds the driver's module; it goes on working when the cdev is deleted, and what it then answers
(ENODEV, say) is the driver's to say.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar

import attrs

from simkernel.kernel.file.file import DEFAULT_POLLMASK, FileObject, OpenFile
from simkernel.kernel.fs.poll_table import PollTable
from simkernel.kernel.locking.completion import Completion
from simkernel.kernel.workqueue import Work
from simkernel.uapi.errno import EBUSY, EINVAL, ENODEV, ENOTTY, ENXIO, ESPIPE, os_error
from simkernel.uapi.poll import POLLERR

if TYPE_CHECKING:
    from simkernel.kernel.fs.inode import Inode
    from simkernel.kernel.kernel import Kernel
    from simkernel.kernel.mm.vma import VmArea
    from simkernel.kernel.module.module import LoadedModule
    from simkernel.kernel.module.resources import Resource
    from simkernel.kernel.task.task import Task
    from simkernel.kernel.task.wait import WaitQueue

MINORS: Final = 1 << 20
"""Minor numbers of a major (MINORBITS)."""
MAJORS: Final = 512
"""CHRDEV_MAJOR_MAX."""
DYNAMIC: Final = (*range(254, 233, -1), *range(511, 383, -1))
"""Majors that are given to who asks for any, in this order (`find_dynamic_major()`)."""

T = TypeVar("T")


@attrs.frozen(kw_only=True)
class FileOperations:
    """What a driver does with a character device (`struct file_operations`); None: what Linux does then.

    Each may be plain or `async def`, except `poll`, `llseek` and `fasync`.  `file` is a `CharDeviceFile`.

    open(file)                     OSError refuses it
    release(file)                  the last descriptor is gone
    read(file, size, position)     bytes, at most `size`; none: the end.  None: EINVAL
    write(file, data, position)    how many bytes were taken.  None: EINVAL
    ioctl(file, request, argument) an int; `argument` is a value or a user address.  None: ENOTTY
    mmap(file, area)               gives the area its memory.  None: ENODEV
    poll(file, table)              calls poll_wait, returns the events.  None: always ready
    llseek(file, offset, whence)   the new position.  None: ESPIPE
    fasync(file, fd, on)           O_ASYNC was switched.  None: there is no SIGIO
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


@attrs.define(eq=False)
class Cdev:
    """A character device (`struct cdev`): operations, and numbers once it is added.

    `data` is the driver's own, found again as `file.cdev.data` (where C takes container_of()).
    """

    kernel: Kernel
    module: LoadedModule | None
    operations: FileOperations
    data: Any = None
    number: tuple[int, int] = (0, 0)
    count: int = 0
    resource: Resource | None = None


@attrs.frozen(eq=False)
class Region:
    """Numbers that are reserved: `count` minors from `minor` on (`struct char_device_struct`)."""

    major: int
    minor: int
    count: int
    name: str


class CharDevices:
    """The character devices of one machine.  Built-in ones are there from the beginning."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._regions: list[tuple[Region, Resource]] = []
        self._cdevs: list[Cdev] = []

    @property
    def regions(self) -> list[Region]:
        """What is reserved, by number (/proc/devices)."""
        return sorted((region for region, _ in self._regions), key=lambda each: (each.major, each.minor))

    # -- numbers --------------------------------------------------------------

    def register_region(
        self, module: LoadedModule | None, major: int, minor: int, count: int, name: str
    ) -> Region:
        """Reserve numbers (`__register_chrdev_region()`); major 0: any that is free.

        EBUSY if some are taken, or none is free.  EINVAL for numbers that there are not.
        """
        if not 0 <= major < MAJORS or not 0 <= minor < MINORS or not 0 < count <= MINORS - minor:
            raise os_error(EINVAL)
        if major == 0:
            taken = {region.major for region, _ in self._regions}
            free = next((each for each in DYNAMIC if each not in taken), None)
            if free is None:
                raise os_error(EBUSY)
            major = free
        region = Region(major, minor, count, name)
        for other, _ in self._regions:
            if other.major == major and other.minor < minor + count and minor < other.minor + other.count:
                raise os_error(EBUSY)
        resource = self._kernel.resources.add(
            module, "chrdev region", f"{major}:{minor} ({name})", lambda: self.unregister_region(region)
        )
        self._regions.append((region, resource))
        return region

    def unregister_region(self, region: Region) -> None:
        """Give numbers back.  Harmless if that has been done."""
        for each, resource in self._regions:
            if each is region:
                self._kernel.resources.remove(resource)
        self._regions = [each for each in self._regions if each[0] is not region]

    def add(self, cdev: Cdev, number: tuple[int, int], count: int = 1) -> None:
        """Let `cdev` serve `count` minors from `number` on (`cdev_add()`).  It is live at once."""
        cdev.number = number
        cdev.count = count
        name = f"{number[0]}:{number[1]}"
        cdev.resource = self._kernel.resources.add(cdev.module, "cdev", name, lambda: self.delete(cdev))
        self._cdevs.append(cdev)

    def delete(self, cdev: Cdev) -> None:
        """Let nobody open it any more (`cdev_del()`); files that are open stay.  Harmless if it is gone."""
        if cdev in self._cdevs:
            self._cdevs.remove(cdev)
        if cdev.resource is not None:
            self._kernel.resources.remove(cdev.resource)

    def find(self, major: int, minor: int) -> Cdev:
        """What serves a number; of several the one with the fewest minors (`kobj_lookup()`).  ENXIO."""
        serving = [
            cdev
            for cdev in self._cdevs
            if cdev.number[0] == major and cdev.number[1] <= minor < cdev.number[1] + cdev.count
        ]
        if not serving:
            raise os_error(ENXIO)
        return min(serving, key=lambda cdev: cdev.count)

    # -- opening ----------------------------------------------------------------

    def open(
        self, inode: Inode, major: int, minor: int, file: OpenFile
    ) -> CharDeviceFile | Awaitable[CharDeviceFile]:
        """Open a node with a number (`chrdev_open()`): a CharDeviceFile, or an awaitable that gives one."""
        cdev = self.find(major, minor)
        if cdev.module is not None and not cdev.module.try_get():
            raise os_error(ENXIO)
        device_file = CharDeviceFile(cdev, inode, (major, minor), file)
        function = cdev.operations.open
        if function is None:
            return device_file
        try:
            pending = device_file.call("open", function, device_file)
        except BaseException:
            device_file.put_module()
            raise
        return self._opened(device_file, pending) if isinstance(pending, Awaitable) else device_file

    @staticmethod
    async def _opened(device_file: CharDeviceFile, pending: Awaitable[None]) -> CharDeviceFile:
        try:
            await pending
        except BaseException:
            device_file.put_module()
            raise
        return device_file


class CharDeviceFile(FileObject):
    """An open file of a character device; a driver's `File` (`struct file`).

    `private_data` is the driver's own, and gone with the file.
    """

    __slots__ = ("_inode", "_open_file", "cdev", "number", "private_data")

    def __init__(self, cdev: Cdev, inode: Inode, number: tuple[int, int], open_file: OpenFile) -> None:
        self.cdev = cdev
        self._inode = inode
        self._open_file = open_file
        self.number = number
        self.private_data: Any = None

    # -- what a driver sees -----------------------------------------------------

    @property
    def flags(self) -> int:
        """O_ flags, as they are now (`f_flags`)."""
        return self._open_file.flags

    @property
    def position(self) -> int:
        """Where the next read or write is (`f_pos`)."""
        return self._open_file.position

    @position.setter
    def position(self, position: int) -> None:
        self._open_file.position = position

    @property
    def inode(self) -> Inode:
        """The node that was opened."""
        return self._inode

    @property
    def open_file(self) -> OpenFile:
        """The open file description; for driverapi."""
        return self._open_file

    @property
    def kernel(self) -> Kernel:
        """The machine's kernel; for driverapi."""
        return self.cdev.kernel

    # -- calling the driver -----------------------------------------------------

    def call(self, name: str, function: Callable[..., T | Awaitable[T]], *arguments: Any) -> T | Awaitable[T]:
        """A call into the driver: what it raises and is no OSError is an oops of its module, and EFAULT."""
        with self._guard(name):
            result = function(*arguments)
        return self._finish(name, result) if isinstance(result, Awaitable) else result

    async def _finish(self, name: str, pending: Awaitable[T]) -> T:
        with self._guard(name):
            return await pending

    def _guard(self, name: str) -> Any:
        cdev = self.cdev
        return cdev.kernel.oopses.guard(cdev.module, f"{name} of {cdev.number[0]}:{cdev.number[1]}")

    # -- what is asked of it ------------------------------------------------------

    def read(self, task: Task, file: OpenFile, size: int, position: int) -> bytes | Awaitable[bytes]:
        """The driver's read; EINVAL without."""
        function = self.cdev.operations.read
        if function is None:
            raise os_error(EINVAL)
        return self.call("read", function, self, size, position)

    def write(self, task: Task, file: OpenFile, data: bytes, position: int) -> int | Awaitable[int]:
        """The driver's write; EINVAL without."""
        function = self.cdev.operations.write
        if function is None:
            raise os_error(EINVAL)
        return self.call("write", function, self, data, position)

    def ioctl(self, task: Task, file: OpenFile, request: int, argument: int) -> int | Awaitable[int]:
        """The driver's ioctl; ENOTTY without."""
        function = self.cdev.operations.ioctl
        if function is None:
            raise os_error(ENOTTY)
        return self.call("ioctl", function, self, request, argument)

    def mmap(self, task: Task, file: OpenFile, area: VmArea) -> Awaitable[None] | None:
        """The driver's mmap; ENODEV without."""
        function = self.cdev.operations.mmap
        if function is None:
            raise os_error(ENODEV)
        return self.call("mmap", function, self, area)

    def llseek(self, task: Task, file: OpenFile, offset: int, whence: int) -> int:
        """The driver's llseek; ESPIPE without."""
        function = self.cdev.operations.llseek
        if function is None:
            raise os_error(ESPIPE)
        with self._guard("llseek"):
            return function(self, offset, whence)

    def fasync(self, file: OpenFile, fd: int, on: bool) -> None:
        """The driver's fasync; ENOTTY without."""
        function = self.cdev.operations.fasync
        if function is None:
            raise os_error(ENOTTY)
        with self._guard("fasync"):
            function(self, fd, on)

    # -- waiting ------------------------------------------------------------------

    @property
    def can_poll(self) -> bool:
        """Whether the driver has a poll."""
        return self.cdev.operations.poll is not None

    def poll(self) -> int:
        """What the driver says is ready."""
        return self._ask(PollTable())

    def poll_for(self, events: int) -> int:
        """The same, and the driver is told what is waited for."""
        return self._ask(PollTable(events))

    @property
    def wait_queues(self) -> tuple[WaitQueue, ...]:
        """What the driver's poll waits on (`poll_wait()`)."""
        table = PollTable()
        self._ask(table)
        return tuple(table.queues)

    def _ask(self, table: PollTable) -> int:
        function = self.cdev.operations.poll
        if function is None:
            return DEFAULT_POLLMASK
        try:
            with self._guard("poll"):
                return function(self, table)
        except OSError:  # vfs_poll() has no errors: a poll that died has POLLERR
            return POLLERR

    # -- the end ------------------------------------------------------------------

    def release(self) -> Awaitable[None] | None:
        """`__fput()`: the driver's release, which may sleep, then the module is let go."""
        function = self.cdev.operations.release
        if function is None:
            self.put_module()
            return None
        pending = None
        with self._contain():
            pending = function(self)
        if not isinstance(pending, Awaitable):
            self.put_module()
            return None
        return self._release_later(pending)

    def _release_later(self, pending: Awaitable[None]) -> Awaitable[None]:
        """Let a worker finish a release that sleeps, as there may be nobody else to (`delayed_fput()`)."""
        kernel = self.kernel
        done = Completion(kernel.preempt, "delayed_fput")

        async def work(_: Work) -> None:
            with self._contain():
                await pending
            self.put_module()
            done.complete()

        kernel.work_queues.system.add(Work(None, "delayed_fput", work))
        return _Released(done)

    def _contain(self) -> Any:
        cdev = self.cdev
        return cdev.kernel.oopses.contain(cdev.module, f"release of {cdev.number[0]}:{cdev.number[1]}")

    def put_module(self) -> None:
        """`cdev_put()`."""
        if self.cdev.module is not None:
            self.cdev.module.put()


class _Released:
    """The end of a release that sleeps, for whoever wants to wait for it."""

    def __init__(self, done: Completion) -> None:
        self._done = done

    def __await__(self) -> Any:
        return self._wait().__await__()

    async def _wait(self) -> None:
        await self._done.wait()
