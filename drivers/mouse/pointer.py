"""The input device of a mouse. Programs read its events from a device node such as /dev/input/event0.

The input device and the netlink event `motion` carry the same reports.  An input event is sent only for an
axis that has moved or a button that has changed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from simkernel.driverapi.module import ThisModule
from simkernel.driverapi.simbus import SimbusDevice
from simkernel.hardware.mouse import registers as hw
from simkernel.uapi import input_event_codes as ev
from simkernel.uapi.input import BUS_HOST, InputId

from .device import BUTTONS, MouseReport

if TYPE_CHECKING:
    from ..input.core import InputCore

NAME: Final = "Virtual mouse"
AXES: Final = (ev.REL_X, ev.REL_Y, ev.REL_WHEEL)


class Pointer:
    """The input device of one mouse, which reports motion, the wheel and the buttons."""

    def __init__(self, this: ThisModule, device: SimbusDevice) -> None:
        self._input: InputCore = this.symbols
        self._dev = self._input.input_allocate_device(this, device)
        self._dev.name = NAME
        self._dev.phys = f"simbus-{device.name}/input0"
        self._dev.uniq = f"{device.serial}"
        self._dev.id = InputId(BUS_HOST, hw.VENDOR, hw.DEVICE, device.revision)
        for _, _, key in BUTTONS:
            self._input.input_set_capability(self._dev, ev.EV_KEY, key)
        for axis in AXES:
            self._input.input_set_capability(self._dev, ev.EV_REL, axis)

    async def register(self) -> None:
        """Register the input device, which makes its node in /dev/input."""
        await self._input.input_register_device(self._dev)

    async def unregister(self) -> None:
        """Unregister the input device.  Do nothing if it is not registered."""
        await self._input.input_unregister_device(self._dev)

    def report(self, report: MouseReport) -> None:
        """Pass a report to the input core with the mouse's timestamp.  The interrupt handler calls this."""
        dev, event = self._dev, self._input.input_event
        self._input.input_set_timestamp(dev, report.time)
        for _, bit, key in BUTTONS:
            event(dev, ev.EV_KEY, key, report.buttons & bit != 0)
        for axis, by in zip(AXES, (report.dx, report.dy, report.wheel), strict=True):
            event(dev, ev.EV_REL, axis, by)
        self._input.input_sync(dev)
