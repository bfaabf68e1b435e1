"""The layers of tracepoints: the kernel's own, and those that it emits for programs and drivers."""

from __future__ import annotations

from typing import Final

APPLICATION: Final = "application"
KERNEL: Final = "kernel"
DRIVER: Final = "driver"
