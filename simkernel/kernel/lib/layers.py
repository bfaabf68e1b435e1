"""The layers of tracepoints. `kernel` is for events of the kernel itself. `application` and `driver` are for
events that the kernel emits on behalf of programs and drivers.
"""

from __future__ import annotations

from typing import Final

APPLICATION: Final = "application"
KERNEL: Final = "kernel"
DRIVER: Final = "driver"
