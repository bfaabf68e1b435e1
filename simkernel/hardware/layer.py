"""The layer name that trace records of virtual hardware have."""

from __future__ import annotations

from typing import Final

HARDWARE: Final = "hardware"
