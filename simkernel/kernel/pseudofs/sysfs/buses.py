"""/sys/bus, /sys/class and /sys/dev: devices by bus, class and number (drivers/base/bus.c, class.c).

A program selects the driver of a device with `drivers_autoprobe`, `drivers_probe`, `bind` and `unbind`.
"""

from __future__ import annotations

from collections.abc import Awaitable
from functools import partial

from simkernel.kernel.device.device import BusType, Device, DeviceDriver
from simkernel.kernel.parts import KernelParts
from simkernel.kernel.pseudofs.sysfs import net
from simkernel.kernel.pseudofs.sysfs.entry import Attribute, Contents, Folder, Link
from simkernel.kernel.pseudofs.sysfs.uevent import uevent_file
from simkernel.uapi.errno import ENODEV, os_error


def buses(kernel: KernelParts) -> Contents:
    """Yield the directories in /sys/bus, one for each bus."""
    for bus in kernel.devices.buses.values():
        yield bus.name, Folder(partial(_bus, kernel, bus))


def _bus(kernel: KernelParts, bus: BusType) -> Contents:
    def autoprobe(data: bytes) -> None:
        bus.autoprobe = data[:1] != b"0"

    def probe(data: bytes) -> Awaitable[None]:
        return kernel.devices.binding.attach_device(bus.find(_name(data)))

    yield "devices", _links(bus.devices)
    yield "drivers", Folder(lambda: ((each.name, _driver(kernel, each)) for each in tuple(bus.drivers)))
    yield "drivers_autoprobe", Attribute(lambda: f"{bus.autoprobe:d}\n", autoprobe)
    yield "drivers_probe", Attribute(None, probe)
    yield "uevent", uevent_file(kernel.uevents, bus.devpath, "bus")


def _driver(kernel: KernelParts, driver: DeviceDriver) -> Folder:
    def contents() -> Contents:
        for device in tuple(driver.devices):
            yield device.name, Link(device.devpath)
        if driver.module is not None:
            yield "module", Link(f"/module/{driver.module.name}")
        yield "bind", Attribute(None, bind)
        yield "unbind", Attribute(None, unbind)
        yield "uevent", uevent_file(kernel.uevents, driver.devpath, "drivers")

    def bind(data: bytes) -> Awaitable[None]:
        return kernel.devices.binding.attach(driver.bus.find(_name(data)), driver)

    def unbind(data: bytes) -> Awaitable[None]:
        device = driver.bus.find(_name(data))
        if device.driver is not driver:
            raise os_error(ENODEV)
        return kernel.devices.binding.release(device, driver)

    return Folder(contents)


def _name(data: bytes) -> str:
    """Return the name that a program wrote. If the name ends with a newline, remove it (`sysfs_streq()`)."""
    return data.decode("utf-8", "surrogateescape").removesuffix("\n")


def _links(devices: list[Device]) -> Folder:
    return Folder(lambda: ((each.name, Link(each.devpath)) for each in tuple(devices)))


def classes(kernel: KernelParts) -> Contents:
    """Yield the directories in /sys/class, one for each class."""
    for kind in kernel.devices.classes.values():
        yield kind.name, _links(kind.devices)
    yield "net", Folder(lambda: net.links(kernel))


def numbers(kernel: KernelParts) -> Contents:
    """Yield the directories `block` and `char` in /sys/dev. `char` lists the character devices by number, and
    `block` is empty.
    """

    def char() -> Contents:
        for device in kernel.devices:
            if device.number[0]:
                yield f"{device.number[0]}:{device.number[1]}", Link(device.devpath)

    yield "block", Folder(lambda: iter(()))
    yield "char", Folder(char)
