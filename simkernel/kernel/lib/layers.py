"""The layers of tracepoints: one for events of the kernel itself, the others for events that the kernel emits
on behalf of programs and drivers.
"""

from __future__ import annotations

from typing import Final

APPLICATION: Final = "application"
KERNEL: Final = "kernel"
DRIVER: Final = "driver"
