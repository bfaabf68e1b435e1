"""The layers of tracepoints that the kernel emits: its own, and on behalf of programs and drivers."""

from __future__ import annotations

from typing import Final

APPLICATION: Final = "application"
KERNEL: Final = "kernel"
DRIVER: Final = "driver"
