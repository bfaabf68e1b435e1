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

from collections.abc import Awaitable

from simkernel.driverapi.context import may_sleep
from simkernel.kernel.device.bus import Probe, Remove
from simkernel.kernel.device.simbus import SimbusDevice, SimbusDeviceId, SimbusDriver
from simkernel.kernel.module.module import LoadedModule

__all__ = [
    "SimbusDevice",
    "SimbusDeviceId",
    "SimbusDriver",
    "simbus_dev_is_disconnected",
    "simbus_register_driver",
    "simbus_unregister_driver",
]


def simbus_register_driver(
    this: LoadedModule,
    devices: tuple[SimbusDeviceId, ...],
    probe: Probe,
    remove: Remove | None = None,
    *,
    name: str = "",
) -> Awaitable[SimbusDriver]:
    """Register a driver, called as the module is unless there is a `name`.

    `probe` is called, before this returns, for each device in the table that has no driver yet, and
    later for each that is plugged in.  What it raises is not raised here.  EBUSY if the name is taken.
    """
    driver = SimbusDriver(name or this.name, this.kernel.simbus.type, this, probe, remove, ids=devices)
    return may_sleep(this, "driver_register", _register, driver)


async def _register(driver: SimbusDriver) -> SimbusDriver:
    assert driver.module is not None
    await driver.module.kernel.devices.driver_register(driver)
    return driver


def simbus_unregister_driver(driver: SimbusDriver) -> Awaitable[None]:
    """Take a driver away; `remove` is called for each device that it is bound to."""
    assert driver.module is not None
    unregister = driver.module.kernel.devices.driver_unregister
    return may_sleep(driver.module, "driver_unregister", unregister, driver)


def simbus_dev_is_disconnected(device: SimbusDevice) -> bool:
    """Whether `device` is known to be torn out, and its `remove` is coming (`pci_dev_is_disconnected()`).

    What answers in its window may be another device by now.
    """
    return device.dead
