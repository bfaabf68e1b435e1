"""The driver core: adding and removing devices, drivers, buses and classes (drivers/base/core.c, bus.c).

Uevents are sent in Linux's order.  The `add` event of a device is sent before a driver is probed.  So it
comes before the device's `bind` event and before the `add` events of child devices that the driver adds.
At a removal, the `remove` events of the children come first, then `unbind`, then `remove` of the device.
The `add` event of a driver comes after the `bind` events of its devices.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

import attrs

from simkernel.kernel.device.attribute import Attached, DeviceAttribute
from simkernel.kernel.device.binding import Binding
from simkernel.kernel.device.device import BusType, Class, Device, DeviceDriver, Devnode, Environment
from simkernel.kernel.device.uevent import Uevents
from simkernel.kernel.lib.log import Log
from simkernel.kernel.module.module import LoadedModule
from simkernel.kernel.module.resources import DRIVER, Resources
from simkernel.kernel.sched.locking import Locking
from simkernel.uapi.errno import EBUSY, EEXIST, EINVAL, ENODEV, os_error


class NumberWatcher(Protocol):
    """The interface of an observer, such as devtmpfs. The driver core calls the methods for each device that
    has a device number.
    """

    def added(self, device: Device) -> None:
        """Handle a new device.  It is already in the device tree; its `add` uevent is sent afterwards."""

    def removed(self, device: Device) -> None:
        """Handle the removal of a device.  It is still in the device tree."""


@attrs.define(eq=False, repr=False)
class DriverCore:
    """The device tree, the buses and the device classes of one machine."""

    _log: Log
    _locking: Locking
    _resources: Resources
    _uevents: Uevents
    binding: Binding
    buses: dict[str, BusType] = attrs.field(factory=dict)
    classes: dict[str, Class] = attrs.field(factory=dict)
    _roots: list[Device] = attrs.field(factory=list)
    watcher: NumberWatcher | None = None

    def __iter__(self) -> Iterator[Device]:
        """Iterate over all devices, parents before their children."""
        stack = self._roots[::-1]
        while stack:
            device = stack.pop()
            yield device
            stack += device.children[::-1]

    def watch_numbers(self, watcher: NumberWatcher) -> None:
        """Notify `watcher` of each new or removed device that has a device number. Notify it of the existing
        devices now.
        """
        self.watcher = watcher
        for device in self:
            if device.number[0]:
                watcher.added(device)

    # -- buses and classes ----------------------------------------------------

    def bus_register(self, bus: BusType) -> None:
        """Register a bus.  Raise EEXIST if a bus with the same name is registered."""
        if bus.name in self.buses:
            raise os_error(EEXIST)
        self.buses[bus.name] = bus
        self._uevents.send("add", bus.devpath, "bus")

    def class_register(
        self,
        module: LoadedModule | None,
        name: str,
        environment: Environment | None = None,
        devnode: Devnode | None = None,
        attributes: tuple[DeviceAttribute, ...] = (),
    ) -> Class:
        """Register a device class (`class_register()`).

        EINVAL for an invalid name, EEXIST if the name is taken.
        """
        _check_name(name)
        if name in self.classes:
            raise os_error(EEXIST)
        self._resources.allocate(module, "class")
        kind = Class(name, module, environment, devnode, attributes)
        kind.resource = self._resources.add(module, "class", name, lambda: self.class_unregister(kind))
        self.classes[name] = kind
        self._uevents.send("add", kind.devpath, "class")
        return kind

    def class_unregister(self, kind: Class) -> None:
        """Unregister a device class.  If the class still has devices, remove them first."""
        del self.classes[kind.name]
        for device in reversed(tuple(kind.devices)):
            self.device_unregister(device)
        self._uevents.send("remove", kind.devpath, "class")
        if kind.resource is not None:
            self._resources.remove(kind.resource)

    def builtin_class(self, name: str, devnode: Devnode | None = None) -> Class:
        """Register a class that belongs to the kernel itself. No uevent is sent, because at boot no program
        receives uevents.
        """
        kind = self.classes[name] = Class(name, None, None, devnode)
        return kind

    def builtin_device(self, kind: Class, name: str, number: tuple[int, int] = (0, 0)) -> Device:
        """Add a device to a class that belongs to the kernel itself, without a uevent."""
        device = Device(self._locking, name, kind=kind, number=number)
        self._roots.append(device)
        kind.devices.append(device)
        device.registered = True
        return device

    # -- devices --------------------------------------------------------------

    def device_create(
        self,
        module: LoadedModule | None,
        kind: Class,
        parent: Device | None,
        name: str,
        *,
        environment: Mapping[str, str] | None = None,
        node: str = "",
        number: tuple[int, int] = (0, 0),
        data: Any = None,
        attributes: tuple[DeviceAttribute, ...] = (),
    ) -> Device:
        """Add a device that belongs to a class and has no driver (`device_create_with_groups()`).

        Raises EINVAL or EEXIST.
        """
        self._resources.allocate(module, "device")
        device = Device(
            self._locking, name, parent, kind=kind, module=module,
            environment=environment or {}, node=node, number=number, data=data,
        )  # fmt: skip
        if attributes:
            device.attributes = {attribute.name: Attached(attribute, module) for attribute in attributes}
        self._link(device)
        device.resource = self._resources.add(
            module, "device", device.devpath, lambda: self.device_unregister(device)
        )
        return device

    def device_unregister(self, device: Device) -> None:
        """Remove a device that is on no bus.  Its children are removed first.  No effect if it is removed
        already.
        """
        if device.registered:
            self._unlink(device)

    async def device_add(self, device: Device) -> None:
        """Add a device and bind it to a matching driver (`device_add()`).  Raise EINVAL if its name is not a
        valid file name, and EEXIST if its path in /sys exists.
        """
        self._link(device)
        if device.bus is not None and device.bus.autoprobe:
            await self.binding.attach_device(device)

    async def device_del(self, device: Device) -> None:
        """Unbind a device, then remove it (`device_del()`)."""
        device.dead = True
        self.binding.forget(device)
        await self.binding.release(device)
        await device.devres.release_all()
        for child in device.children:
            self._log.warn(f"{device.label}: its child {child.name} was left behind")
        self._unlink(device)

    def changed(self, device: Device, variables: Mapping[str, str] | None = None) -> None:
        """Send a uevent with the action `change` for a device (KOBJ_CHANGE)."""
        self.binding.send("change", device, dict(variables or {}))

    # -- attributes -----------------------------------------------------------

    def attribute_add(self, module: LoadedModule, device: Device, attribute: DeviceAttribute) -> None:
        """Add a file to a device's directory in /sys (`device_create_file()`).  Raise ENODEV if the device is
        not registered, and EEXIST if it has an attribute with the same name.
        """
        if not device.registered:
            raise os_error(ENODEV)
        attached = device.attributes = device.attributes or {}
        if attribute.name in attached:
            raise os_error(EEXIST)
        self._resources.allocate(module, "attribute")
        resource = self._resources.add(
            module, "attribute", f"{device.devpath}/{attribute.name}",
            lambda: self.attribute_remove(device, attribute),
        )  # fmt: skip
        attached[attribute.name] = Attached(attribute, module, resource)

    def attribute_remove(self, device: Device, attribute: DeviceAttribute) -> None:
        """Remove a file of a device in /sys (`device_remove_file()`).  No effect if it is removed already."""
        attached = (device.attributes or {}).pop(attribute.name, None)
        if attached is not None and attached.resource is not None:
            self._resources.remove(attached.resource)

    def _link(self, device: Device) -> None:
        _check_name(device.name)
        siblings = device.parent.children if device.parent is not None else self._roots
        if any(sibling.devpath == device.devpath for sibling in siblings):
            self._log.warn(f"sysfs: cannot create duplicate filename '{device.devpath}'")
            raise os_error(EEXIST)
        siblings.append(device)
        if device.bus is not None:
            device.bus.devices.append(device)
        if device.kind is not None:
            device.kind.devices.append(device)
        device.registered = True
        if self.watcher is not None and device.number[0]:
            self.watcher.added(device)
        self.binding.send("add", device)

    def _unlink(self, device: Device) -> None:
        for child in reversed(tuple(device.children)):
            self._unlink(child)
        if self.watcher is not None and device.number[0]:
            self.watcher.removed(device)
        self.binding.send("remove", device)
        device.registered = False
        device.dead = True
        for attached in tuple((device.attributes or {}).values()):
            self.attribute_remove(device, attached.attribute)
        (device.parent.children if device.parent is not None else self._roots).remove(device)
        if device.bus is not None:
            device.bus.devices.remove(device)
        if device.kind is not None:
            device.kind.devices.remove(device)
        if device.resource is not None:
            self._resources.remove(device.resource)

    # -- drivers --------------------------------------------------------------

    async def driver_register(self, driver: DeviceDriver) -> None:
        """Register a driver, and bind it to each matching device on its bus (`driver_register()`).

        Raises EINVAL for an invalid name, EBUSY if the name is taken.
        """
        _check_name(driver.name)
        bus = driver.bus
        if any(other.name == driver.name for other in bus.drivers):
            self._log.err(f"Error: Driver '{driver.name}' is already registered, aborting...")
            raise os_error(EBUSY)
        self._resources.allocate(driver.module, DRIVER)
        bus.drivers.append(driver)
        driver.resource = self._resources.add(
            driver.module, DRIVER, driver.name, lambda: self.driver_unregister(driver)
        )
        if bus.autoprobe:
            await self.binding.attach_driver(driver)
        self._uevents.send("add", driver.devpath, "drivers")

    async def driver_unregister(self, driver: DeviceDriver) -> None:
        """Unregister a driver of a bus (`driver_unregister()`).

        Unbind its devices first, the latest one first.  No effect if it is not registered.

        A running probe is finished before that, as `bus_remove_driver()` waits for it in `klist_remove()`.
        """
        if driver not in driver.bus.drivers:
            return
        driver.bus.drivers.remove(driver)
        while bound := driver.devices or [each for each in driver.bus.devices if each.driver is driver]:
            await self.binding.release(bound[-1], driver)
        self._uevents.send("remove", driver.devpath, "drivers")
        if driver.resource is not None:
            self._resources.remove(driver.resource)


def _check_name(name: str) -> None:
    """Raise EINVAL if `name` is not a valid file name (`kobject_set_name_vargs()`)."""
    if not name or "/" in name or "\0" in name:
        raise os_error(EINVAL)
