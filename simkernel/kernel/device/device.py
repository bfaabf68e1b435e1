"""Devices and classes: what user space finds below /sys/devices and /sys/class."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import attrs

from simkernel.kernel.device.devres import Devres
from simkernel.kernel.locking.mutex import Mutex
from simkernel.kernel.locking.preempt import Preempt
from simkernel.kernel.module.module import LoadedModule
from simkernel.kernel.module.resources import Resource

if TYPE_CHECKING:
    from simkernel.kernel.device.bus import BusType, DeviceDriver

Environment = Callable[["Device"], Mapping[str, str]]


@attrs.define(eq=False)
class Class:
    """A kind of device seen by what it does, not by how it is connected (`struct class`).

    `environment` adds variables to its devices' uevents (`dev_uevent`).
    """

    name: str
    module: LoadedModule | None = None
    environment: Environment | None = None
    devices: list[Device] = attrs.field(factory=list)
    resource: Resource | None = None

    @property
    def devpath(self) -> str:
        """Where it stands below /sys."""
        return f"/class/{self.name}"


class Device:
    """A device in the tree: on a bus, where a driver may be bound to it, or of a class, or neither.

    `data` is the driver's own (`dev_set_drvdata()`), and gone when the driver is.  `environment` are
    variables of all its uevents.  `node` is the name of its node below /dev, with `number` (major,
    minor), where it has one.
    """

    def __init__(
        self,
        preempt: Preempt,
        name: str,
        parent: Device | None = None,
        *,
        bus: BusType | None = None,
        kind: Class | None = None,
        module: LoadedModule | None = None,
        environment: Mapping[str, str] | None = None,
        node: str = "",
        number: tuple[int, int] = (0, 0),
        data: Any = None,
    ) -> None:
        self.name = name
        self.parent = parent
        self.bus = bus
        self.kind = kind
        self.module = module
        """Who made it; None: the kernel."""
        self.environment: Mapping[str, str] = environment or {}
        self.node = node
        self.number = number
        self.data = data
        self.driver: DeviceDriver | None = None
        self.children: list[Device] = []
        self.devres = Devres()
        self.lock = Mutex(preempt, f"of device {name}")
        self.registered = False
        self.dead = False
        self.resource: Resource | None = None

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

    def uevent_environment(self) -> dict[str, str]:
        """The variables of its uevents, in the order of `dev_uevent()`."""
        variables: dict[str, str] = {}
        if self.node:
            variables |= {"MAJOR": str(self.number[0]), "MINOR": str(self.number[1]), "DEVNAME": self.node}
        if self.driver is not None:
            variables["DRIVER"] = self.driver.name
        if self.bus is not None:
            variables.update(self.bus.environment(self))
        if self.kind is not None and self.kind.environment is not None:
            variables.update(self.kind.environment(self))
        variables.update(self.environment)
        return variables
