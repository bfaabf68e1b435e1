"""The name of the layer of virtual hardware, for the trace records that the hardware emits."""

from __future__ import annotations

from typing import Final

HARDWARE: Final = "hardware"
