"""The trace layer of the records that hardware emits."""

from __future__ import annotations

from typing import Final

HARDWARE: Final = "hardware"
