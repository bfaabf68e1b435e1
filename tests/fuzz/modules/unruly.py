"""A driver that raises an exception in the function that its parameters select."""

from __future__ import annotations

from typing import Any

from simkernel.driverapi.device import (
    NodeAccess,
    class_register,
    class_unregister,
    device_create,
    device_unregister,
)
from simkernel.driverapi.fs import (
    File,
    FileOperations,
    alloc_chrdev_region,
    cdev_add,
    cdev_del,
    cdev_init,
    unregister_chrdev_region,
)
from simkernel.driverapi.module import Module, ModuleParameter, ThisModule
from simkernel.driverapi.simbus import (
    SimbusDevice,
    SimbusDeviceId,
    simbus_register_driver,
    simbus_unregister_driver,
)
from simkernel.hardware.mouse import registers

KINDS = (
    ValueError, KeyError, TypeError, AssertionError, MemoryError, RecursionError, OSError, StopIteration,
    GeneratorExit, SystemExit, BaseException,
)  # fmt: skip
DEVICES = (SimbusDeviceId(registers.VENDOR, registers.DEVICE),)
MODULE = Module(
    license="GPL",
    parameters=(ModuleParameter("where", str, ""), ModuleParameter("what", int, 0)),
    devices=DEVICES,
)


class Unruly:
    """State of the loaded module."""

    def __init__(self, this: ThisModule) -> None:
        self.this = this

    def at(self, where: str) -> None:
        """Raise the selected exception if the parameters select the function `where`."""
        if self.this.parameters["where"] == where:
            raise KINDS[self.this.parameters["what"] % len(KINDS)]("chaos")

    async def probe(self, device: SimbusDevice) -> None:
        """Bind to a mouse."""
        self.at("probe")

    async def remove(self, device: SimbusDevice) -> None:
        """Unbind from a mouse."""
        self.at("remove")


def _open(file: File) -> None:
    file.cdev.data.at("open")


def _read(file: File, size: int, position: int) -> bytes:
    file.cdev.data.at("read")
    return b"x" * min(size, 10)


async def _write(file: File, data: bytes, position: int) -> int:
    file.cdev.data.at("write")
    return len(data)


def _ioctl(file: File, request: int, argument: int) -> int:
    file.cdev.data.at("ioctl")
    return 0


def _poll(file: File, table: Any) -> int:
    file.cdev.data.at("poll")
    return 1


def _release(file: File) -> None:
    file.cdev.data.at("release")


OPERATIONS = FileOperations(open=_open, read=_read, write=_write, ioctl=_ioctl, poll=_poll, release=_release)


async def init(this: ThisModule) -> Any:
    """Register a character device and a bus driver."""
    unruly = Unruly(this)
    unruly.at("init")
    kind = class_register(this, "unruly", devnode=lambda device: NodeAccess(mode=0o666))
    major, minor = alloc_chrdev_region(this, 0, 1, "unruly")
    cdev = cdev_init(this, OPERATIONS, unruly)
    cdev_add(cdev, (major, minor))
    device = device_create(this, kind, None, "unruly", node="unruly", number=(major, minor))
    unruly.at("middle")
    driver = await simbus_register_driver(this, DEVICES, unruly.probe, unruly.remove)
    return unruly, kind, (major, minor), cdev, device, driver


async def exit(this: ThisModule, state: Any) -> None:
    """Unregister the character device and the bus driver."""
    unruly, kind, number, cdev, device, driver = state
    unruly.at("exit")
    await simbus_unregister_driver(driver)
    device_unregister(device)
    cdev_del(cdev)
    unregister_chrdev_region(this, number, 1)
    class_unregister(kind)
