"""The hardware bus, as include/linux/pci.h is PCI: drivers of devices that are plugged into slots.

    DEVICES = (SimbusDeviceId(registers.VENDOR, registers.DEVICE),)

    async def probe(device: SimbusDevice) -> None: ...     # takes the device; OSError refuses it
    async def remove(device: SimbusDevice) -> None: ...    # gives it back; it may be gone already

    driver = await simbus_register_driver(this, DEVICES, probe, remove)
    await simbus_unregister_driver(driver)

A module that is one driver has a class with these two, and no `init` and `exit` of its own:

    class Driver:
        def __init__(self, this: ThisModule, undo: Undo) -> None:
            self.family = genl_register_family(this, do={"get": self.get})
            undo.callback(genl_unregister_family, self.family)

    init, exit = module_simbus_driver(DEVICES, Driver)

The table also stands in the module's declaration (`devices=DEVICES`), so that modprobe finds the module
by a device's MODALIAS.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any, Protocol, TypeAlias

from simkernel.driverapi.context import kernel_of, may_sleep, module_of, this_of
from simkernel.kernel.device.device import Probe, Remove
from simkernel.kernel.device.simbus import SimbusDevice as SimbusDevice
from simkernel.kernel.device.simbus import SimbusDeviceId as SimbusDeviceId
from simkernel.kernel.device.simbus import SimbusDriver as SimbusDriver
from simkernel.kernel.module.awaiting import sleeps
from simkernel.kernel.module.module import ThisModule


@sleeps
def simbus_register_driver(
    this: ThisModule,
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
    driver = SimbusDriver(
        name or this.name, kernel_of(this).simbus.type, module_of(this), probe, remove, ids=devices
    )
    return may_sleep(this, "driver_register", _register, this, driver)


async def _register(this: ThisModule, driver: SimbusDriver) -> SimbusDriver:
    await kernel_of(this).devices.driver_register(driver)
    return driver


@sleeps
def simbus_unregister_driver(driver: SimbusDriver) -> Awaitable[None]:
    """Take a driver away; `remove` is called for each device that it is bound to."""
    this = this_of(driver.module)
    return may_sleep(this, "driver_unregister", kernel_of(this).devices.driver_unregister, driver)


def simbus_dev_is_disconnected(device: SimbusDevice) -> bool:
    """Whether `device` is known to be torn out, and its `remove` is coming (`pci_dev_is_disconnected()`).

    What answers in its window may be another device by now.
    """
    return device.dead


Undo: TypeAlias = AsyncExitStack
"""What `exit` undoes, the last first: `undo.callback(function, *arguments)`."""


class _Driver(Protocol):
    def probe(self, device: Any, /) -> Awaitable[None] | None: ...

    def remove(self, device: Any, /) -> Awaitable[None] | None: ...


def module_simbus_driver(
    devices: tuple[SimbusDeviceId, ...], make: Callable[[ThisModule, Undo], _Driver]
) -> tuple[Callable[[ThisModule], Awaitable[Undo]], Callable[[ThisModule, Undo], Awaitable[None]]]:
    """`init` and `exit` of a module that is one driver (`module_pci_driver()`).

    `init` calls `make(this, undo)`, which registers what the driver needs, and registers the `probe` and
    `remove` of the result.  What stands in `undo` is undone, the last first, if `init` fails, and by `exit`.
    """

    async def init(this: ThisModule) -> Undo:
        async with AsyncExitStack() as undo:
            driver = make(this, undo)
            registered = await simbus_register_driver(this, devices, driver.probe, driver.remove)
            undo.push_async_callback(simbus_unregister_driver, registered)
            return undo.pop_all()

    async def exit(this: ThisModule, undo: Undo) -> None:
        await undo.aclose()

    return init, exit
