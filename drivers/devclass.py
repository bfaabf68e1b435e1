"""devclass: what drivers of one kind of device have in common, whatever the hardware.

It is no driver: it serves no device and speaks to no program.  A driver hands it the devices that it has
bound; devclass gives each a name (camera0, camera1 ...), announces it as a device of a class, below the
one on the bus, and finds the one that a netlink command means.  Compare drivers/media/v4l2-core and
drivers/input/input.c, which do this for real cameras and mice.
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
    """The class of one driver.  `owner` is the driver's module."""

    owner: ThisModule
    kind: Class


class DeviceClasses:
    """The classes that drivers have registered; a driver imports the methods."""

    def __init__(self, this: ThisModule) -> None:
        self._lock = spin_lock_init(this, "devclass names")
        self._names: set[str] = set()

    def devclass_register(self, owner: ThisModule, name: str) -> DeviceClass:
        """A class for the devices of the module `owner`.  EEXIST if there is one of that name."""
        return DeviceClass(owner, class_register(owner, name))

    def devclass_unregister(self, devices: DeviceClass) -> None:
        """Take the class away again."""
        class_unregister(devices.kind)

    def devclass_add(self, devices: DeviceClass, parent: Device, data: Any) -> Device:
        """Name a device below `parent`, with the lowest number that is free, and announce it.

        From now on commands find `data` by that name.
        """
        name = self._reserve(devices.kind.name)
        try:
            return device_create(devices.owner, devices.kind, parent, name, data=data)
        except OSError:
            self._names.discard(name)
            raise

    def _reserve(self, prefix: str) -> str:
        """Reserve the first name that is free (`ida_alloc()`): two devices may be bound at a time."""
        with self._lock:
            number = 0
            while (name := f"{prefix}{number}") in self._names:
                number += 1
            self._names.add(name)
        return name

    def devclass_del(self, device: Device) -> None:
        """Forget a device: no command finds it any more, and its number is free.  Harmless if it is gone."""
        if device.registered:
            device_unregister(device)
            self._names.discard(device.name)

    def devclass_devices(self, devices: DeviceClass) -> list[Any]:
        """The data of all devices, in the order in which they came; for dumps."""
        return [dev_get_drvdata(device) for device in devices.kind.devices]

    def devclass_find(self, devices: DeviceClass, info: GenlInfo) -> Any:
        """The data of the device that a request means.

        The attribute `device` names it, and may be left out while there is only one.  ENODEV if there is
        no such device; EINVAL if none is named and there are several.
        """
        there = tuple(devices.kind.devices)  # as class_find_device(): devices may come and go meanwhile
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
    description="Names for class devices, and how commands find them",
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
    """Nothing to set up: drivers come later."""
    return DeviceClasses(this)


def exit(this: ThisModule, classes: DeviceClasses) -> None:
    """Nothing is left: whoever imports from here has gone before, or this could not be unloaded."""
