"""include/linux/device.h: devices, classes, and what a driver holds for a device.

A driver is given a device by `probe` and gives it back in `remove`.  What it makes of it for others, a
device of a class, it creates below the first one and unregisters before that goes.

What `devm_` functions get is given back by itself, the latest first, after `remove` or after a `probe`
that failed.
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
    """Keep `data` with `device`, for as long as the driver is bound to it."""
    device.data = data


def dev_get_drvdata(device: Device) -> Any:
    """What was kept with `device`; None if nothing."""
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
    """A new class.  EEXIST.

    `environment(device)` adds variables to its devices' uevents; `devnode(device)` says mode and owner of
    their nodes below /dev (0600 and root without it); `attributes` are files of each below /sys
    (driverapi/sysfs.py).
    """
    return kernel_of(this).devices.class_register(module_of(this), name, environment, devnode, attributes)


def class_unregister(kind: Class) -> None:
    """Take the class away, with the devices that it still has."""
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
    """Add a device of class `kind` below `parent`, and tell user space.

    `environment` are variables for its uevents.  With a `number` (major, minor) it gets a node below /dev,
    called `node`, or as the device is.  Node and `attributes`, its files below /sys, are there before user
    space is told.  EINVAL for no name, EEXIST for one that is taken.
    """
    return kernel_of(this).devices.device_create(
        module_of(this), kind, parent, name,
        data=data, environment=environment, node=node, number=number, attributes=attributes,
    )  # fmt: skip


def device_unregister(device: Device) -> None:
    """Take away a device that was created, and what is below it.  Harmless if it is gone."""
    kernel_of(owner_of(device)).devices.device_unregister(device)


def kobject_uevent_change(device: Device, variables: Mapping[str, str] | None = None) -> None:
    """Tell user space that something about `device` has changed (KOBJ_CHANGE of kobject_uevent_env())."""
    kernel_of(owner_of(device)).devices.changed(device, variables)
