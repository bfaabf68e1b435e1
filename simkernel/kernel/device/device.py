"""Devices, classes, buses and drivers: the objects of include/linux/device.h, which know each other."""

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
    """Mode and owner of a device's node below /dev; 0 is what devtmpfs takes itself (0600, root)."""

    mode: int = 0
    uid: int = 0
    gid: int = 0


DEFAULT = NodeAccess()
Devnode = Callable[["Device"], NodeAccess]
Probe = Callable[[Any], Awaitable[None] | None]
"""Takes a device of the bus's own kind."""
Remove = Callable[[Any], Awaitable[None] | None]


@attrs.define(eq=False)
class Class:
    """A kind of device seen by what it does, not by how it is connected (`struct class`).

    `environment` adds variables to its devices' uevents (`dev_uevent`); `devnode` says whose their nodes
    are.
    """

    name: str
    module: LoadedModule | None = None
    environment: Environment | None = None
    devnode: Devnode | None = None
    attributes: tuple[DeviceAttribute, ...] = ()
    """Files that each of its devices has (`dev_groups`)."""
    devices: list[Device] = attrs.field(factory=list)
    resource: Resource | None = None

    @property
    def devpath(self) -> str:
        """Where it stands below /sys."""
        return f"/class/{self.name}"


@attrs.define(eq=False, repr=False)
class Device:
    """A device in the tree: on a bus, where a driver may be bound to it, or of a class, or neither.

    `data` is the driver's own (`dev_set_drvdata()`), and gone when the driver is.  `environment` are
    variables of all its uevents.  A device with a `number` (major, minor) has a node below /dev, called
    `node`.  `attributes` are files below /sys
    that drivers gave it.
    """

    _locking: Locking
    name: str
    parent: Device | None = None
    bus: BusType | None = None
    kind: Class | None = None
    module: LoadedModule | None = None
    """The module that registered the class, or None for the kernel."""
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
        self.lock = self._locking.mutex(
            f"of device {self.name}", ordered=False
        )  # as device_initialize() has it

    def __repr__(self) -> str:
        return f"<device {self.devpath}>"

    @property
    def devpath(self) -> str:
        """Where it stands below /sys (`get_device_parent()`, `kobject_get_path()`)."""
        if self.kind is None:
            return f"{self.parent.devpath if self.parent else '/devices'}/{self.name}"
        if self.parent is None:
            return f"/devices/virtual/{self.kind.name}/{self.name}"
        if self.parent.kind is not None:
            return f"{self.parent.devpath}/{self.name}"
        return f"{self.parent.devpath}/{self.kind.name}/{self.name}"

    @property
    def subsystem(self) -> str:
        """What its uevents call it: its bus, or its class (`dev_uevent_name()`); "" if neither."""
        return self.bus.name if self.bus else self.kind.name if self.kind else ""

    @property
    def label(self) -> str:
        """What its lines in the log begin with: driver and name (`dev_printk()`)."""
        return f"{self.driver.name if self.driver else self.subsystem} {self.name}".lstrip()

    @property
    def node_access(self) -> NodeAccess:
        """Mode and owner of its node (`device_get_devnode()`)."""
        kind = self.kind
        return DEFAULT if kind is None or kind.devnode is None else kind.devnode(self)

    def uevent_environment(self) -> dict[str, str]:
        """The variables of its uevents, in the order of `dev_uevent()`."""
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
    """A kind of bus: which driver suits which device is for it to say.  Made once for each machine."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.devices: list[Device] = []
        self.drivers: list[DeviceDriver] = []
        self.autoprobe = True
        """Whether what comes is bound without being asked for (`drivers_autoprobe`)."""

    @property
    def devpath(self) -> str:
        """Where it stands below /sys."""
        return f"/bus/{self.name}"

    def find(self, name: str) -> Device:
        """The device called `name` (`bus_find_device_by_name()`).  ENODEV."""
        for device in self.devices:
            if device.name == name:
                return device
        raise os_error(ENODEV)

    def match(self, device: Device, driver: DeviceDriver) -> bool:
        """Whether `driver` may be able to serve `device`."""
        return True

    def attributes(self, device: Device) -> Mapping[str, str]:
        """What a device on the bus shows below /sys, by name (`dev_groups`)."""
        return {}

    def environment(self, device: Device) -> Mapping[str, str]:
        """Variables for the uevents of a device on the bus, MODALIAS among them."""
        return {}


@attrs.define(eq=False)
class DeviceDriver:
    """A driver that is registered, or about to be.

    `probe` takes a device that matches; OSError refuses it, with EPROBE_DEFER only for now.  `remove`
    gives it back.
    """

    name: str
    bus: BusType
    module: LoadedModule | None
    probe: Probe
    remove: Remove | None
    devices: list[Device] = attrs.field(factory=list)
    """Those it is bound to, in the order in which that happened."""
    resource: Resource | None = None

    @property
    def devpath(self) -> str:
        """Where it stands below /sys."""
        return f"{self.bus.devpath}/drivers/{self.name}"
