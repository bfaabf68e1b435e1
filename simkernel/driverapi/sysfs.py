r"""include/linux/sysfs.h: a driver's files below /sys. Each file contains one value.

    FORMAT = DeviceAttribute("format", show=show_format, store=set_format)
    devm_device_create_file(device, FORMAT)                        # a device that the driver is bound to
    device_create_file(this, child, FORMAT)                        # a device that the driver created
    class_register(this, "camera", attributes=(FORMAT,))           # each device of a class
    device_create(this, kind, parent, "camera0", attributes=(FORMAT,))   # exists before the uevent

    def show_format(device: Device) -> str:
        return f"{dev_get_drvdata(device).format}\n"

    def set_format(device: Device, data: bytes) -> None:           # plain or async; OSError refuses it
        ...

`show` is called when a program reads the file. A result that exceeds a page is truncated, which is logged.
An attribute named "id/vendor" is a file `vendor` in a subdirectory `id` of the device: an attribute group.
"""

from __future__ import annotations

from simkernel.driverapi.context import driver_of, kernel_of, module_of
from simkernel.kernel.device.attribute import DeviceAttribute as DeviceAttribute
from simkernel.kernel.device.device import Device
from simkernel.kernel.module.module import ThisModule


def device_create_file(this: ThisModule, device: Device, attribute: DeviceAttribute) -> None:
    """Create a file of `device` below /sys. Raise EEXIST if the file exists, ENODEV if `device` was removed.

    The file is removed with the device at the latest.
    """
    kernel_of(this).devices.attribute_add(module_of(this), device, attribute)


def device_remove_file(this: ThisModule, device: Device, attribute: DeviceAttribute) -> None:
    """Remove a file of `device`. If it is already removed, nothing happens."""
    kernel_of(this).devices.attribute_remove(device, attribute)


def devm_device_create_file(device: Device, attribute: DeviceAttribute) -> None:
    """Create a file below /sys for a device that the driver is bound to. The file is removed when the driver
    is unbound.
    """
    this = driver_of(device)
    device_create_file(this, device, attribute)
    device.devres.add(attribute, lambda: device_remove_file(this, device, attribute))
