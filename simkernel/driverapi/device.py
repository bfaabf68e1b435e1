"""include/linux/device.h: devices, classes, and resources that a driver allocates for a device.

A driver gets a device in `probe` and releases it in `remove`. For user space it creates a class device
below that device, and unregisters it before the parent is removed.

Resources of `devm_` functions are released automatically, in reverse order, after `remove` or after a
`probe` that failed.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from simkernel.driverapi.context import driver_of, kernel_of, module_of, owner_of, this_of
from simkernel.kernel.device.attribute import DeviceAttribute
from simkernel.kernel.device.device import Class as Class
from simkernel.kernel.device.device import Device as Device
from simkernel.kernel.device.device import Devnode, Environment
from simkernel.kernel.device.device import NodeAccess as NodeAccess
from simkernel.kernel.module.module import ThisModule
from simkernel.kernel.sched.wait import maybe
from simkernel.uapi.errno import EPROBE_DEFER as EPROBE_DEFER


def dev_set_drvdata(device: Device, data: Any) -> None:
    """Store the driver's `data` in `device`. The kernel drops it when the driver is unbound from `device`."""
    device.data = data


def dev_get_drvdata(device: Device) -> Any:
    """Return the driver's data that `dev_set_drvdata` stored, or None."""
    return device.data


def devm_add_action(device: Device, action: Callable[..., Awaitable[None] | None], *arguments: Any) -> None:
    """Call `action(*arguments)` when the driver is unbound from `device`."""
    this = driver_of(device)

    async def release() -> None:
        with kernel_of(this).oopses.contain(module_of(this), f"devm action of {device.name}"):
            await maybe(action(*arguments))

    device.devres.add(action, release)


def class_register(
    this: ThisModule,
    name: str,
    environment: Environment | None = None,
    devnode: Devnode | None = None,
    attributes: tuple[DeviceAttribute, ...] = (),
) -> Class:
    """Register a class. Raise EEXIST if its name is in use.

    `environment(device)` returns variables for the uevents of the class's devices. `devnode(device)`
    returns mode and owner of their nodes below /dev; the default is 0600 and root. `attributes` are the
    files of each device below /sys (driverapi/sysfs.py).
    """
    return kernel_of(this).devices.class_register(module_of(this), name, environment, devnode, attributes)


def class_unregister(kind: Class) -> None:
    """Unregister a class and its remaining devices."""
    kernel_of(this_of(kind.module)).devices.class_unregister(kind)


def device_create(
    this: ThisModule,
    kind: Class,
    parent: Device | None,
    name: str,
    *,
    data: Any = None,
    environment: Mapping[str, str] | None = None,
    node: str = "",
    number: tuple[int, int] = (0, 0),
    attributes: tuple[DeviceAttribute, ...] = (),
) -> Device:
    """Add a device of class `kind` below `parent`, and send its uevent.

    `environment` contains variables for its uevents. If it has a `number` (major, minor), it gets a node
    below /dev, named `node` or like the device. The node, and the files below /sys that `attributes`
    lists, exist before the uevent is sent. Raise EINVAL for an empty name, EEXIST for a name in use.
    """
    return kernel_of(this).devices.device_create(
        module_of(this), kind, parent, name,
        data=data, environment=environment, node=node, number=number, attributes=attributes,
    )  # fmt: skip


def device_unregister(device: Device) -> None:
    """Remove a device that `device_create` added, and the devices below it. If the device is already removed,
    nothing happens.
    """
    kernel_of(owner_of(device)).devices.device_unregister(device)


def kobject_uevent_change(device: Device, variables: Mapping[str, str] | None = None) -> None:
    """Send a uevent with action "change" for `device` (KOBJ_CHANGE of kobject_uevent_env())."""
    kernel_of(owner_of(device)).devices.changed(device, variables)
