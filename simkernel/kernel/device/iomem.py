"""Device registers that are mapped for a driver (compare mm/ioremap.c)."""

from __future__ import annotations

from typing import Final

import attrs

from simkernel.hardware.bus import Bus
from simkernel.hardware.bus import registers as sheet

ALL_ONES: Final = sheet.ALL_ONES
"""The value that a read of a device register returns if no device responds, for example after an unplug."""


@attrs.define(eq=False)
class IoMemory:
    """A mapped register window: its bus, and the bus address at which it begins."""

    bus: Bus
    base: int
