"""Which module acts for a device; for the files of this folder, not for drivers."""

from __future__ import annotations

from simkernel.engine import SimulationError
from simkernel.kernel.device.device import Device
from simkernel.kernel.module.module import LoadedModule


def owner_of(device: Device) -> LoadedModule:
    """The module whose driver is bound to `device`, or which made it.  SimulationError if there is none."""
    module = device.driver.module if device.driver is not None else device.module
    if module is None:
        raise SimulationError(
            f"{device.name} has no driver: use a device from its probe till its remove, or one you created"
        )
    return module
