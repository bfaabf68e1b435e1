"""devclass: functions that the drivers of cameras, mice and similar devices share, for example to name and
to find devices.

This module is not a driver: it binds no device and has no interface to programs.  A driver passes each
device that it binds to devclass.  devclass gives the device a name (camera0, camera1 ...) and registers a
class device below the device on the bus.  It also finds the device that a netlink request names.  On
Linux, drivers/media/v4l2-core and drivers/input/input.c do this for cameras and mice.
"""

from __future__ import annotations

from typing import Any

import attrs

from simkernel.driverapi.device import (
    Class,
    Device,
    class_register,
    class_unregister,
    dev_get_drvdata,
    device_create,
    device_unregister,
)
from simkernel.driverapi.genetlink import GenlInfo
from simkernel.driverapi.module import Module, ThisModule
from simkernel.driverapi.spinlock import spin_lock_init
from simkernel.uapi.errno import EINVAL, ENODEV


@attrs.define(eq=False)
class DeviceClass:
    """The device class of one driver.  `owner` is the driver's module."""

    owner: ThisModule
    kind: Class


class DeviceClasses:
    """The state of the loaded module: the names of all class devices. Drivers import the methods as kernel
    symbols.
    """

    def __init__(self, this: ThisModule) -> None:
        self._lock = spin_lock_init(this, "devclass names")
        self._names: set[str] = set()

    def devclass_register(self, owner: ThisModule, name: str) -> DeviceClass:
        """Register a device class for the module `owner`.  Raise EEXIST if the name is taken."""
        return DeviceClass(owner, class_register(owner, name))

    def devclass_unregister(self, devices: DeviceClass) -> None:
        """Unregister a device class that `devclass_register` has registered."""
        class_unregister(devices.kind)

    def devclass_add(self, devices: DeviceClass, parent: Device, data: Any) -> Device:
        """Register a class device below `parent`. Its name ends with the lowest free number.

        From now on, netlink requests that contain the name find `data`.
        """
        name = self._reserve(devices.kind.name)
        try:
            return device_create(devices.owner, devices.kind, parent, name, data=data)
        except OSError:
            self._names.discard(name)
            raise

    def _reserve(self, prefix: str) -> str:
        """Reserve the first free name, such as camera0 (`ida_alloc()`).

        The lock is needed because two CPUs can bind devices at the same time.
        """
        with self._lock:
            number = 0
            while (name := f"{prefix}{number}") in self._names:
                number += 1
            self._names.add(name)
        return name

    def devclass_del(self, device: Device) -> None:
        """Unregister a class device and free its name.  Do nothing if it is not registered."""
        if device.registered:
            device_unregister(device)
            self._names.discard(device.name)

    def devclass_devices(self, devices: DeviceClass) -> list[Any]:
        """Return the driver data of each device in a class, in the order of registration.

        Netlink dumps use it.
        """
        return [dev_get_drvdata(device) for device in devices.kind.devices]

    def devclass_find(self, devices: DeviceClass, info: GenlInfo) -> Any:
        """Return the driver data of the device whose name is in the attribute `device` of a netlink request.

        If the attribute is missing, return the only device.  Raise ENODEV if the device does not exist,
        EINVAL if the attribute is missing and several devices exist.
        """
        # Search a copy of the list, because another task can register or unregister a device meanwhile.
        there = tuple(devices.kind.devices)
        wanted = info.attributes.get("device")
        if wanted is not None:
            for device in there:
                if device.name == wanted:
                    return dev_get_drvdata(device)
            info.fail(ENODEV, f"there is no {wanted}", attribute="device")
        if not there:
            info.fail(ENODEV, f"there is no {devices.kind.name}")
        if len(there) > 1:
            info.fail(EINVAL, f"there are {len(there)} devices: name one", missing="device")
        return dev_get_drvdata(there[0])


MODULE = Module(
    license="GPL",
    version="1.0",
    author="The simkernel authors",
    description="Names for class devices, and their lookup by netlink commands",
    exports_gpl=(
        DeviceClasses.devclass_register,
        DeviceClasses.devclass_unregister,
        DeviceClasses.devclass_add,
        DeviceClasses.devclass_del,
        DeviceClasses.devclass_find,
        DeviceClasses.devclass_devices,
    ),
)


def init(this: ThisModule) -> DeviceClasses:
    """Return the state of the loaded module. Drivers register their device classes later."""
    return DeviceClasses(this)


def exit(this: ThisModule, classes: DeviceClasses) -> None:
    """Do nothing: each driver that uses this module is already unloaded and has unregistered its class."""
