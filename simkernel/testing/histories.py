"""Histories as data.  A history is a sequence of events, such as plug, unplug and request, that happen in a
machine.

    move = Stimulus("mouse0", "move", {"dx": 3})
    history = History([Plug("mouse0"), Wait(5_000_000), move, Unplug("mouse0")])
    history.play(machine)
    machine.run()

`simkernel.testing.strategies.histories` draws them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, MutableMapping
from contextlib import suppress
from typing import Any

import attrs

from simkernel.application.app import App
from simkernel.engine import SimulationError
from simkernel.hardware import Device
from simkernel.machine import Machine
from simkernel.testing.sim import DEVICES

Devices = MutableMapping[str, Device]
"""The devices of a machine, by their names in a history."""


@attrs.frozen
class Plug:
    """An event that plugs a device in."""

    device: str

    def happen(self, machine: Machine, devices: Devices) -> None:
        """Plug the device in, unless it is plugged in.  If `devices` has no device of that name, make it."""
        if self.device not in devices:
            make = DEVICES.get(kind_of(self.device))
            if make is None:
                raise SimulationError(
                    f"unknown device {self.device!r}: pass it in `devices`, or use a name that consists "
                    f"of {' or '.join(DEVICES)} and a number"
                )
            devices[self.device] = device = make()
            device.name = self.device
        if not devices[self.device].plugged:
            machine.plug(devices[self.device])


@attrs.frozen
class Unplug:
    """An event that unplugs a device without notice to the driver (surprise removal)."""

    device: str

    def happen(self, machine: Machine, devices: Devices) -> None:
        """Unplug the device if it is plugged in."""
        if self.device in devices and devices[self.device].plugged:
            machine.unplug(devices[self.device])


@attrs.frozen
class Stimulus:
    """An event that calls a method of a device, such as `move` of a mouse."""

    device: str
    method: str
    arguments: Mapping[str, Any] = attrs.field(factory=dict)

    def happen(self, machine: Machine, devices: Devices) -> None:
        """Call the method of the device if the device is plugged in."""
        if self.device in devices and devices[self.device].plugged:
            getattr(devices[self.device], self.method)(**self.arguments)


@attrs.frozen
class Control:
    """An event in which root sends a request to a generic netlink family.  The driver may reject it."""

    family: str
    operation: str
    values: Mapping[str, Any] = attrs.field(factory=dict)

    def happen(self, machine: Machine, devices: Devices) -> None:
        """Start a program that runs as root and sends the request to the family."""
        machine.spawn(self._request, name="control")

    async def _request(self, app: App) -> None:
        with suppress(OSError):
            client = await app.genetlink(self.family)
            await client.do(self.operation, **self.values)


@attrs.frozen
class Wait:
    """A pause of `ns` nanoseconds between two events."""

    ns: int


Event = Plug | Unplug | Stimulus | Control | Wait


def kind_of(device: str) -> str:
    """Return the kind of a device from its name: "mouse" for "mouse0"."""
    return device.rstrip("0123456789")


def _as_tuple(events: Iterable[Event]) -> tuple[Event, ...]:
    return tuple(events)


@attrs.frozen
class History:
    """A sequence of events.  Only `Wait` takes simulated time."""

    events: tuple[Event, ...] = attrs.field(default=(), converter=_as_tuple)

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(repr(self))  # otherwise hypothesis prints the calls that built the history, not its repr

    def play(self, machine: Machine, devices: Devices | None = None) -> Devices:
        """Schedule the events, beginning now.  Return the devices by name.

        `devices` has the devices that exist already.  Devices that the events make are added to it.
        """
        devices = {} if devices is None else devices
        time = machine.now
        for event in self.events:
            if isinstance(event, Wait):
                time += event.ns
            else:
                machine.at(time, event.happen, machine, devices)
        return devices
