"""Registration of drivers for devices on the simulated bus. The functions correspond to those of
include/linux/pci.h.

    DEVICES = (SimbusDeviceId(registers.VENDOR, registers.DEVICE),)

    async def probe(device: SimbusDevice) -> None: ...     # initializes the device; OSError refuses it
    async def remove(device: SimbusDevice) -> None: ...    # releases the device, which may be unplugged
    driver = await simbus_register_driver(this, DEVICES, probe, remove)
    await simbus_unregister_driver(driver)

A module with a single driver has a class with these two methods, and gets `init` and `exit` from a
function:

    class Driver:
        def __init__(self, this: ThisModule, undo: Undo) -> None:
            self.family = genl_register_family(this, do={"get": self.get})
            undo.callback(genl_unregister_family, self.family)

    init, exit = module_simbus_driver(DEVICES, Driver)

The module's declaration also names the table (`devices=DEVICES`), so that modprobe finds the module by a
device's MODALIAS.
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
    """Register a driver. Its default name is that of the module.

    Before this returns, `probe` is called for each device in the table that has no driver. Later it is
    called for each device that is plugged in. Errors of `probe` are not raised here. EBUSY if the name is
    in use.
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
    """Unregister a driver. `remove` is called for each device that is bound to the driver."""
    this = this_of(driver.module)
    return may_sleep(this, "driver_unregister", kernel_of(this).devices.driver_unregister, driver)


def simbus_dev_is_disconnected(device: SimbusDevice) -> bool:
    """Return True if the kernel has detected that `device` was unplugged, and has begun to remove it
    (`pci_dev_is_disconnected()`).

    Its register window can already belong to another device.
    """
    return device.dead


Undo: TypeAlias = AsyncExitStack
"""Stack of cleanup functions, which the module's `exit` calls in reverse order. `undo.callback(function,
*arguments)` adds one.
"""


class _Driver(Protocol):
    def probe(self, device: Any, /) -> Awaitable[None] | None: ...

    def remove(self, device: Any, /) -> Awaitable[None] | None: ...


def module_simbus_driver(
    devices: tuple[SimbusDeviceId, ...], make: Callable[[ThisModule, Undo], _Driver]
) -> tuple[Callable[[ThisModule], Awaitable[Undo]], Callable[[ThisModule, Undo], Awaitable[None]]]:
    """Return the functions `init` and `exit` for a module that contains exactly one driver
    (`module_pci_driver()`).

    `init` calls `make(this, undo)`, which registers what the driver needs, and then registers the `probe`
    and `remove` of the result. If `init` fails, and in `exit`, the functions on `undo` are called in
    reverse order.
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
