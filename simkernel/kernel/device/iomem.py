"""A device's registers as the kernel has them mapped (compare mm/ioremap.c)."""

from __future__ import annotations

from typing import Final

import attrs

from simkernel.hardware.bus import Bus
from simkernel.hardware.bus import registers as sheet

ALL_ONES: Final = sheet.ALL_ONES
"""What a read gives where no device answers."""


@attrs.define(eq=False)
class IoMemory:
    """A mapped window: where it begins on which bus."""

    bus: Bus
    base: int
