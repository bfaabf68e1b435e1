"""Helpers of the driver API: they find the running kernel and the calling driver's module, and check that
code may sleep. Drivers do not use them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from simkernel.engine import SimulationError
from simkernel.kernel.device.device import Device
from simkernel.kernel.module.module import LoadedModule, ThisModule
from simkernel.kernel.sched.preempt import COMPLETED

if TYPE_CHECKING:
    from simkernel.kernel.kernel import Kernel

P = ParamSpec("P")
T = TypeVar("T")


def kernel_of(this: ThisModule) -> Kernel:
    """Return the kernel that the module is loaded into."""
    kernel: Kernel = this._kernel
    return kernel


def module_of(this: ThisModule) -> LoadedModule:
    """Return the kernel's object for a module. `this` is the module's own object (THIS_MODULE)."""
    return this._module


def this_of(module: LoadedModule | None) -> ThisModule:
    """Return a module's own object (THIS_MODULE). `module` is the kernel's object for the module, and must
    not be None.
    """
    assert module is not None
    return module.this


def owner_of(device: Device) -> ThisModule:
    """Return the module whose driver is bound to `device`. Without a driver, return the module that created
    `device`. Raise SimulationError if neither exists.
    """
    module = device.driver.module if device.driver is not None else device.module
    if module is None:
        raise SimulationError(
            f"{device.name} has no driver: use a device between its probe and its remove, "
            "or a device that the module created"
        )
    return module.this


def driver_of(device: Device) -> ThisModule:
    """Return the module whose driver is bound to `device`. Raise SimulationError if the device has no
    driver.
    """
    if device.driver is None or device.driver.module is None:
        raise SimulationError(
            f"{device.name} has no driver: call devm_ functions only between a device's probe and its remove"
        )
    return device.driver.module.this


def may_sleep(
    this: ThisModule,
    name: str,
    function: Callable[P, Awaitable[T]],
    *arguments: P.args,
    **keywords: P.kwargs,
) -> Awaitable[T]:
    """Call `function`, which can sleep, and return its awaitable. If the caller is in atomic context, log the
    bug as Linux does.

    An interrupt handler cannot await, so it gets `COMPLETED` and `function` is not called.
    """
    if kernel_of(this).preempt.might_sleep(name):
        return COMPLETED
    return function(*arguments, **keywords)
