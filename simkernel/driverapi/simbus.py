"""The hardware bus, as include/linux/pci.h is PCI: drivers of devices that are plugged into slots.

    DEVICES = (SimbusDeviceId(registers.VENDOR, registers.DEVICE),)

    async def probe(device: SimbusDevice) -> None: ...     # takes the device; OSError refuses it
    async def remove(device: SimbusDevice) -> None: ...    # gives it back; it may be gone already

    driver = await simbus_register_driver(this, DEVICES, probe, remove)
    await simbus_unregister_driver(driver)

The table also stands in the module's declaration (`devices=DEVICES`), so that modprobe finds the module
by a device's MODALIAS.
"""

from __future__ import annotations

from simkernel.kernel.device.bus import Probe, Remove
from simkernel.kernel.device.simbus import SimbusDevice, SimbusDeviceId, SimbusDriver
from simkernel.kernel.module.module import LoadedModule

__all__ = [
    "SimbusDevice",
    "SimbusDeviceId",
    "SimbusDriver",
    "simbus_register_driver",
    "simbus_unregister_driver",
]


async def simbus_register_driver(
    this: LoadedModule,
    devices: tuple[SimbusDeviceId, ...],
    probe: Probe,
    remove: Remove | None = None,
    *,
    name: str = "",
) -> SimbusDriver:
    """Register a driver, called as the module is unless there is a `name`.

    `probe` is called, before this returns, for each device in the table that has no driver yet, and
    later for each that is plugged in.  What it raises is not raised here.  EBUSY if the name is taken.
    """
    driver = SimbusDriver(name or this.name, this.kernel.simbus.type, this, probe, remove, ids=devices)
    await this.kernel.devices.driver_register(driver)
    return driver


async def simbus_unregister_driver(driver: SimbusDriver) -> None:
    """Take a driver away; `remove` is called for each device that it is bound to."""
    assert driver.module is not None
    await driver.module.kernel.devices.driver_unregister(driver)
