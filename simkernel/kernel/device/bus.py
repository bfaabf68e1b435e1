"""Buses and drivers: `struct bus_type` and `struct device_driver`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import attrs

from simkernel.kernel.device.device import Device
from simkernel.kernel.module.module import LoadedModule
from simkernel.kernel.module.resources import Resource
from simkernel.uapi.errno import ENODEV, os_error

Probe = Callable[[Any], Awaitable[None] | None]
"""Takes a device of the bus's own kind."""
Remove = Callable[[Any], Awaitable[None] | None]


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
