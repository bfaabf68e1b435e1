"""Whose code runs, and whether it may sleep; for the files of this folder, not for drivers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import ParamSpec, TypeVar

from simkernel.engine import SimulationError
from simkernel.kernel.device.device import Device
from simkernel.kernel.module.module import LoadedModule
from simkernel.kernel.sched.preempt import NOTHING

P = ParamSpec("P")
T = TypeVar("T")


def owner_of(device: Device) -> LoadedModule:
    """The module whose driver is bound to `device`, or which made it.  SimulationError if there is none."""
    module = device.driver.module if device.driver is not None else device.module
    if module is None:
        raise SimulationError(
            f"{device.name} has no driver: use a device from its probe till its remove, or one you created"
        )
    return module


def driver_of(device: Device) -> LoadedModule:
    """The module whose driver is bound to `device`.  SimulationError if there is none."""
    if device.driver is None or device.driver.module is None:
        raise SimulationError(
            f"{device.name} has no driver: devm_ functions take a device from its probe till its remove"
        )
    return device.driver.module


def may_sleep(
    module: LoadedModule | None,
    name: str,
    function: Callable[P, Awaitable[T]],
    *arguments: P.args,
    **keywords: P.kwargs,
) -> Awaitable[T]:
    """What `function`, which may sleep, gives to be awaited; called where nothing may, it is a logged bug.

    An interrupt gets `NOTHING`, since it cannot await: `function` is not called.
    """
    if module is not None and module.kernel.preempt.might_sleep(name):
        return NOTHING
    return function(*arguments, **keywords)
