"""The layer of tracepoints that hardware emits."""

from __future__ import annotations

from typing import Final

HARDWARE: Final = "hardware"
