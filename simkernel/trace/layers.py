"""The layers of a machine from top to bottom, as in `Record.layer`."""

from __future__ import annotations

from typing import Final

from simkernel.hardware.layer import HARDWARE as HARDWARE
from simkernel.kernel.lib.layers import APPLICATION as APPLICATION
from simkernel.kernel.lib.layers import DRIVER as DRIVER
from simkernel.kernel.lib.layers import KERNEL as KERNEL

LAYERS: Final = (APPLICATION, KERNEL, DRIVER, HARDWARE)
