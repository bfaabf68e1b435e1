"""include/linux/fs.h and cdev.h: a device as programs open it, a file of their own each.

    OPERATIONS = FileOperations(open=open, read=read, ioctl=ioctl, poll=poll, release=release)

    major, minor = alloc_chrdev_region(this, 0, 1, "adder")
    cdev = cdev_init(this, OPERATIONS, data=adder)
    cdev_add(cdev, (major, minor))
    device_create(this, kind, parent, "adder0", node="adder0", number=(major, minor))   # makes /dev/adder0

    def open(file: File) -> None:
        file.private_data = file.cdev.data

    async def read(file: File, size: int, position: int) -> bytes:    # plain, if it never sleeps
        adder = file.private_data
        if not adder.ready and file.flags & O_NONBLOCK:
            raise os_error(EAGAIN)
        await wait_event_interruptible(adder.queue, lambda: adder.ready)
        return adder.take(size)

Numbers and cdevs are registrations: what a module leaves behind is taken from it, and reported.  An open
file keeps its module loaded.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Generator
from functools import partial
from typing import Any

import attrs

from simkernel.driverapi.context import kernel_of, module_of, this_of
from simkernel.kernel.module.module import ThisModule
from simkernel.kernel.vfs.char_dev import MINORS
from simkernel.kernel.vfs.char_file import Cdev as Cdev
from simkernel.kernel.vfs.char_file import CharDeviceFile
from simkernel.kernel.vfs.char_file import FileOperations as FileOperations
from simkernel.uapi.errno import EINVAL, os_error

File = CharDeviceFile


def register_chrdev_region(this: ThisModule, number: tuple[int, int], count: int, name: str) -> None:
    """Reserve `count` minors from `number` (major, minor) on.  EBUSY if some are taken, EINVAL.

    Major 0 is any that is free, which nobody is told of then; alloc_chrdev_region() tells.
    """
    major, minor = number
    kernel_of(this).char_devices.register_region(module_of(this), major, minor, count, name)


def alloc_chrdev_region(this: ThisModule, minor: int, count: int, name: str) -> tuple[int, int]:
    """Reserve `count` minors from `minor` on, of a major that is free: (major, minor).  EBUSY: none is."""
    region = kernel_of(this).char_devices.register_region(module_of(this), 0, minor, count, name)
    return region.major, region.minor


def unregister_chrdev_region(this: ThisModule, number: tuple[int, int], count: int) -> None:
    """Give the numbers back.  Harmless if that has been done."""
    devices = kernel_of(this).char_devices
    for region in devices.regions:
        if (region.major, region.minor, region.count) == (*number, count):
            devices.unregister_region(region)


def cdev_init(this: ThisModule, operations: FileOperations, data: Any = None) -> Cdev:
    """A character device that is not added yet; `data` is what `file.cdev.data` will be."""
    return kernel_of(this).char_devices.cdev(module_of(this), operations, data)


def cdev_add(cdev: Cdev, number: tuple[int, int], count: int = 1) -> None:
    """Let `cdev` serve `count` minors from `number` on.  It may be opened at once.  EINVAL."""
    if not 0 < count <= MINORS:
        raise os_error(EINVAL)
    kernel_of(this_of(cdev.module)).char_devices.add(cdev, number, count)


def cdev_del(cdev: Cdev) -> None:
    """Let nobody open it any more; files that are open stay, and work as the driver lets them."""
    kernel_of(this_of(cdev.module)).char_devices.delete(cdev)


def later(function: Callable[..., Coroutine[Any, Any, None]], *arguments: Any) -> Awaitable[None]:
    """The awaitable that `release` returns if a lock is not free: a worker calls `function(*arguments)`.

    The call begins when it is awaited, which never happens if the machine is switched off before.
    """
    return _Later(partial(function, *arguments))


@attrs.frozen(eq=False)
class _Later:
    _begin: Callable[[], Coroutine[Any, Any, None]]

    def __await__(self) -> Generator[Any, Any, None]:
        return self._begin().__await__()


def stream_open(file: File) -> None:
    """Say, in open(), that the file is a stream: no lseek(2), pread(2), pwrite(2) (ESPIPE)."""
    file.stream = True


def imajor(file: File) -> int:
    """The major number that was opened."""
    return file.number[0]


def iminor(file: File) -> int:
    """The minor number that was opened."""
    return file.number[1]
