"""Devices, device classes, bus types and drivers: the objects of include/linux/device.h.

They are in one file because they refer to each other.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import attrs

from simkernel.kernel.device.attribute import Attached, DeviceAttribute
from simkernel.kernel.device.devres import Devres
from simkernel.kernel.module.module import LoadedModule
from simkernel.kernel.module.resources import Resource
from simkernel.kernel.sched.locking import Locking
from simkernel.kernel.sched.mutex import Mutex
from simkernel.uapi.errno import ENODEV, os_error

Environment = Callable[["Device"], Mapping[str, str]]


@attrs.frozen
class NodeAccess:
    """Mode, uid and gid of a device node below /dev.  A mode of 0 stands for devtmpfs's default, 0600."""

    mode: int = 0
    uid: int = 0
    gid: int = 0


DEFAULT = NodeAccess()
Devnode = Callable[["Device"], NodeAccess]
Probe = Callable[[Any], Awaitable[None] | None]
"""A driver's probe function.  Its argument is the device, an object of the Python class that the bus uses for
its devices, such as `SimbusDevice`.
"""
Remove = Callable[[Any], Awaitable[None] | None]


@attrs.define(eq=False)
class Class:
    """A device class: devices of one kind, such as input devices, on any bus (`struct class`).

    `environment` returns extra variables for the uevents of its devices (`dev_uevent`).  `devnode` returns
    mode and owner of their device nodes.
    """

    name: str
    module: LoadedModule | None = None
    environment: Environment | None = None
    devnode: Devnode | None = None
    attributes: tuple[DeviceAttribute, ...] = ()
    """Attribute files that each device of the class has (`dev_groups`)."""
    devices: list[Device] = attrs.field(factory=list)
    resource: Resource | None = None

    @property
    def devpath(self) -> str:
        """Path of the class below /sys."""
        return f"/class/{self.name}"


@attrs.define(eq=False, repr=False)
class Device:
    """A device in the device tree. It is on a bus, in a class, or neither. Only a device on a bus can have a
    driver.

    `data` belongs to the driver (`dev_set_drvdata()`) and is cleared when the driver is unbound.
    `environment` has variables for all its uevents.  If `number` (major, minor) is set, the device has a
    node below /dev, called `node`.  `attributes` are the files below /sys that drivers have added.
    """

    _locking: Locking
    name: str
    parent: Device | None = None
    bus: BusType | None = None
    kind: Class | None = None
    module: LoadedModule | None = None
    """The module that created the device with `device_create`, or None."""
    environment: Mapping[str, str] = attrs.field(factory=dict)
    node: str = ""
    number: tuple[int, int] = (0, 0)
    data: Any = None
    driver: DeviceDriver | None = None
    children: list[Device] = attrs.field(factory=list)
    devres: Devres = attrs.field(factory=Devres)
    lock: Mutex = attrs.field(init=False)
    registered: bool = False
    dead: bool = False
    attributes: dict[str, Attached] | None = None
    resource: Resource | None = None

    def __attrs_post_init__(self) -> None:
        self.node = (self.node or self.name.replace("!", "/")) if self.number[0] else ""
        # Like device_initialize(), exempt the lock from lockdep's check of the lock order.
        self.lock = self._locking.mutex(f"of device {self.name}", ordered=False)

    def __repr__(self) -> str:
        return f"<device {self.devpath}>"

    @property
    def devpath(self) -> str:
        """Path of the device below /sys (`get_device_parent()`, `kobject_get_path()`)."""
        if self.kind is None:
            return f"{self.parent.devpath if self.parent else '/devices'}/{self.name}"
        if self.parent is None:
            return f"/devices/virtual/{self.kind.name}/{self.name}"
        if self.parent.kind is not None:
            return f"{self.parent.devpath}/{self.name}"
        return f"{self.parent.devpath}/{self.kind.name}/{self.name}"

    @property
    def subsystem(self) -> str:
        """Name of the device's bus or class, as in SUBSYSTEM of a uevent (`dev_uevent_name()`); "" if it has
        neither.
        """
        return self.bus.name if self.bus else self.kind.name if self.kind else ""

    @property
    def label(self) -> str:
        """First words of the device's lines in the kernel log: the names of driver and device
        (`dev_printk()`).
        """
        return f"{self.driver.name if self.driver else self.subsystem} {self.name}".lstrip()

    @property
    def node_access(self) -> NodeAccess:
        """Mode and owner of the device node (`device_get_devnode()`)."""
        kind = self.kind
        return DEFAULT if kind is None or kind.devnode is None else kind.devnode(self)

    def uevent_environment(self) -> dict[str, str]:
        """Return the variables of the device's uevents, in the order of `dev_uevent()`."""
        variables: dict[str, str] = {}
        if self.node:
            variables |= {"MAJOR": str(self.number[0]), "MINOR": str(self.number[1]), "DEVNAME": self.node}
            access = self.node_access
            if access.mode:
                variables["DEVMODE"] = f"0{access.mode & 0o777:o}"
            if access.uid:
                variables["DEVUID"] = str(access.uid)
            if access.gid:
                variables["DEVGID"] = str(access.gid)
        if self.driver is not None:
            variables["DRIVER"] = self.driver.name
        if self.bus is not None:
            variables.update(self.bus.environment(self))
        if self.kind is not None and self.kind.environment is not None:
            variables.update(self.kind.environment(self))
        variables.update(self.environment)
        return variables


class BusType:
    """A type of bus. It decides which drivers match a device. Each machine has one object for each bus
    type.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.devices: list[Device] = []
        self.drivers: list[DeviceDriver] = []
        self.autoprobe = True
        """True if new devices and new drivers are bound automatically (`drivers_autoprobe`)."""

    @property
    def devpath(self) -> str:
        """Path of the bus below /sys."""
        return f"/bus/{self.name}"

    def find(self, name: str) -> Device:
        """Return the device called `name`, or raise ENODEV (`bus_find_device_by_name()`)."""
        for device in self.devices:
            if device.name == name:
                return device
        raise os_error(ENODEV)

    def match(self, device: Device, driver: DeviceDriver) -> bool:
        """Return True if the device may be probed with `driver`."""
        return True

    def attributes(self, device: Device) -> Mapping[str, str]:
        """Return the attribute files that the bus adds to a device: a mapping of file names to contents
        (`dev_groups`).
        """
        return {}

    def environment(self, device: Device) -> Mapping[str, str]:
        """Return the variables, such as MODALIAS, that the bus adds to the uevents of a device."""
        return {}


@attrs.define(eq=False)
class DeviceDriver:
    """A driver for devices on a bus.

    `probe` is called with a device that matches.  It raises OSError to reject the device; EPROBE_DEFER
    makes the core retry later.  `remove` is called when the device is unbound.
    """

    name: str
    bus: BusType
    module: LoadedModule | None
    probe: Probe
    remove: Remove | None
    devices: list[Device] = attrs.field(factory=list)
    """Devices that are bound to the driver, in the order of binding."""
    resource: Resource | None = None

    @property
    def devpath(self) -> str:
        """Path of the driver below /sys."""
        return f"{self.bus.devpath}/drivers/{self.name}"
