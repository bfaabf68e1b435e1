"""A mouse driver with a device node. Each open file of the node holds a reference to the driver's module.

With `sound=0`, an open that fails because the mouse is gone keeps its reference.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Final

import attrs

from simkernel.driverapi.device import dev_get_drvdata, dev_set_drvdata, devm_add_action
from simkernel.driverapi.fs import File, FileOperations
from simkernel.driverapi.io import ALL_ONES, IoMemory, devm_ioremap, readl
from simkernel.driverapi.module import Module, ModuleParameter, ThisModule, module_put, try_module_get
from simkernel.driverapi.mutex import Mutex, mutex_init
from simkernel.driverapi.simbus import SimbusDevice, SimbusDeviceId, Undo, module_simbus_driver
from simkernel.hardware.mouse import registers as hw
from simkernel.uapi.errno import ENODEV, os_error

if TYPE_CHECKING:
    from .misc import Misc

DEVICES = (SimbusDeviceId(hw.VENDOR, hw.DEVICE),)
"""Ids of the devices that this driver binds to. The declaration of the module (`MODULE`) does not contain
them, so that udevd loads the regular mouse driver and not this one.
"""
MODULE = Module(
    license="GPL",
    parameters=(ModuleParameter("sound", bool, True),),
    imports=("misc_register",),
)


@attrs.define(eq=False)
class Meter:
    """State of a mouse. `mutex` protects `gone` and the registers."""

    this: ThisModule
    io: IoMemory
    mutex: Mutex
    gone: bool = False

    async def rate(self) -> int:
        """Read the report rate. Raise ENODEV if the mouse is gone."""
        async with self.mutex:
            if self.gone or (value := readl(self.io, hw.RATE)) == ALL_ONES:
                raise os_error(ENODEV)
            return value


async def open(file: File) -> None:
    """Take a module reference and read the report rate. Raise ENODEV if the mouse is gone."""
    meter: Meter = file.cdev.data
    if not try_module_get(meter.this):
        raise os_error(ENODEV)
    try:
        file.private_data = await meter.rate()
    except OSError:
        if meter.this.parameters["sound"]:
            module_put(meter.this)
        raise


def release(file: File) -> None:
    """Drop the module reference."""
    module_put(file.cdev.data.this)


def read(file: File, size: int, position: int) -> bytes:
    """Return the report rate at the time of the open."""
    return str(file.private_data).encode()[:size]


OPERATIONS: Final = FileOperations(open=open, release=release, read=read)


class MeterDriver:
    """The simbus driver: its probe and remove callbacks, and the module that they belong to."""

    def __init__(self, this: ThisModule, undo: Undo) -> None:
        self.this = this
        self.misc: Misc = this.symbols

    def probe(self, device: SimbusDevice) -> None:
        """Create /dev/meter."""
        meter = Meter(self.this, devm_ioremap(device), mutex_init(self.this, "meter"))
        dev_set_drvdata(device, meter)
        node: ExitStack = self.misc.misc_register(self.this, "meter", OPERATIONS, meter)
        devm_add_action(device, node.close)

    async def remove(self, device: SimbusDevice) -> None:
        """Mark the mouse as gone, so that later opens fail."""
        meter: Meter = dev_get_drvdata(device)
        async with meter.mutex:
            meter.gone = True


init, exit = module_simbus_driver(DEVICES, MeterDriver)
