"""include/linux/sysfs.h: a driver's files below /sys, one value each.

    FORMAT = DeviceAttribute("format", show=show_format, store=set_format)

    devm_device_create_file(device, FORMAT)                        # a device that the driver is bound to
    device_create_file(this, child, FORMAT)                        # one that it made
    class_register(this, "camera", attributes=(FORMAT,))           # each of a class
    device_create(this, kind, parent, "camera0", attributes=(FORMAT,))   # there from the beginning

    def show_format(device: Device) -> str:
        return f"{dev_get_drvdata(device).format}\\n"

    def set_format(device: Device, data: bytes) -> None:           # plain or async; OSError refuses it
        ...

`show` is called when somebody reads; what is longer than a page is cut, with a line in the log.  An
attribute called "id/vendor" is a file `vendor` in a directory `id` of the device's: an attribute group.
"""

from __future__ import annotations

from simkernel.driverapi.context import driver_of, kernel_of, module_of
from simkernel.kernel.device.attribute import DeviceAttribute as DeviceAttribute
from simkernel.kernel.device.device import Device
from simkernel.kernel.module.module import ThisModule


def device_create_file(this: ThisModule, device: Device, attribute: DeviceAttribute) -> None:
    """Give `device` a file.  EEXIST, or ENODEV if it is gone; it goes with the device at the latest."""
    kernel_of(this).devices.attribute_add(module_of(this), device, attribute)


def device_remove_file(this: ThisModule, device: Device, attribute: DeviceAttribute) -> None:
    """Take the file away.  Harmless if it is gone."""
    kernel_of(this).devices.attribute_remove(device, attribute)


def devm_device_create_file(device: Device, attribute: DeviceAttribute) -> None:
    """The same for a device that the driver is bound to, until it is no more."""
    this = driver_of(device)
    device_create_file(this, device, attribute)
    device.devres.add(attribute, lambda: device_remove_file(this, device, attribute))
