"""Whose code runs, in which kernel, and whether it may sleep; for the files of this folder, not drivers."""

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
    """The kernel that the module is loaded into."""
    kernel: Kernel = this._kernel
    return kernel


def module_of(this: ThisModule) -> LoadedModule:
    """The module as the kernel has it."""
    return this._module


def this_of(module: LoadedModule | None) -> ThisModule:
    """The module as its own code sees it.  What drivers make always belongs to one."""
    assert module is not None
    return module.this


def owner_of(device: Device) -> ThisModule:
    """The module whose driver is bound to `device`, or which made it.  SimulationError if there is none."""
    module = device.driver.module if device.driver is not None else device.module
    if module is None:
        raise SimulationError(
            f"{device.name} has no driver: use a device from its probe till its remove, or one you created"
        )
    return module.this


def driver_of(device: Device) -> ThisModule:
    """The module whose driver is bound to `device`.  SimulationError if there is none."""
    if device.driver is None or device.driver.module is None:
        raise SimulationError(
            f"{device.name} has no driver: devm_ functions take a device from its probe till its remove"
        )
    return device.driver.module.this


def may_sleep(
    this: ThisModule,
    name: str,
    function: Callable[P, Awaitable[T]],
    *arguments: P.args,
    **keywords: P.kwargs,
) -> Awaitable[T]:
    """What `function`, which may sleep, gives to be awaited; called where nothing may, it is a logged bug.

    An interrupt gets `COMPLETED`, since it cannot await: `function` is not called.
    """
    if kernel_of(this).preempt.might_sleep(name):
        return COMPLETED
    return function(*arguments, **keywords)
