"""include/linux/fs.h and cdev.h: character devices, and one file object for each open(2).

    OPERATIONS = FileOperations(open=open, read=read, ioctl=ioctl, poll=poll, release=release)

    major, minor = alloc_chrdev_region(this, 0, 1, "adder")
    cdev = cdev_init(this, OPERATIONS, data=adder)
    cdev_add(cdev, (major, minor))
    device_create(this, kind, parent, "adder0", node="adder0", number=(major, minor))   # creates /dev/adder0

    def open(file: File) -> None:
        file.private_data = file.cdev.data

    async def read(file: File, size: int, position: int) -> bytes:    # a plain function if it never sleeps
        adder = file.private_data
        if not adder.ready and file.flags & O_NONBLOCK:
            raise os_error(EAGAIN)
        await wait_event_interruptible(adder.queue, lambda: adder.ready)
        return adder.take(size)

Device numbers and cdevs are resources: those that a module does not release are reported, and released
when it is unloaded. An open file prevents the unloading of its module.
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
    """Reserve `count` minors beginning at `number` (major, minor). Raise EBUSY if some are in use, EINVAL for
    invalid numbers.

    Major 0 reserves a free major, but does not return it; `alloc_chrdev_region()` does.
    """
    major, minor = number
    kernel_of(this).char_devices.register_region(module_of(this), major, minor, count, name)


def alloc_chrdev_region(this: ThisModule, minor: int, count: int, name: str) -> tuple[int, int]:
    """Reserve `count` minors of a free major, beginning at `minor`. Return (major, minor). Raise EBUSY if no
    major is free.
    """
    region = kernel_of(this).char_devices.register_region(module_of(this), 0, minor, count, name)
    return region.major, region.minor


def unregister_chrdev_region(this: ThisModule, number: tuple[int, int], count: int) -> None:
    """Free reserved device numbers. If they are already free, nothing happens."""
    devices = kernel_of(this).char_devices
    for region in devices.regions:
        if (region.major, region.minor, region.count) == (*number, count):
            devices.unregister_region(region)


def cdev_init(this: ThisModule, operations: FileOperations, data: Any = None) -> Cdev:
    """Return a new character device, which is not yet added. `data` becomes `file.cdev.data`."""
    return kernel_of(this).char_devices.cdev(module_of(this), operations, data)


def cdev_add(cdev: Cdev, number: tuple[int, int], count: int = 1) -> None:
    """Make `cdev` serve `count` minors beginning at `number`. Programs can open it immediately. Raise EINVAL
    for invalid numbers.
    """
    if not 0 < count <= MINORS:
        raise os_error(EINVAL)
    kernel_of(this_of(cdev.module)).char_devices.add(cdev, number, count)


def cdev_del(cdev: Cdev) -> None:
    """Make a character device unavailable for open(2). Open files remain usable."""
    kernel_of(this_of(cdev.module)).char_devices.delete(cdev)


def later(function: Callable[..., Coroutine[Any, Any, None]], *arguments: Any) -> Awaitable[None]:
    """Return an awaitable that calls `function(*arguments)`. If a driver's `release` cannot get a lock
    immediately, it returns this awaitable, and the kernel awaits it in a workqueue.

    The call begins when the awaitable is awaited. If the machine is switched off before, it never begins.
    """
    return _Later(partial(function, *arguments))


@attrs.frozen(eq=False)
class _Later:
    _begin: Callable[[], Coroutine[Any, Any, None]]

    def __await__(self) -> Generator[Any, Any, None]:
        return self._begin().__await__()


def stream_open(file: File) -> None:
    """Mark the file as a stream, on which lseek(2), pread(2) and pwrite(2) raise ESPIPE. The `open` operation
    of a driver calls this function.
    """
    file.stream = True


def imajor(file: File) -> int:
    """Return the major number of the open file."""
    return file.number[0]


def iminor(file: File) -> int:
    """Return the minor number of the open file."""
    return file.number[1]
