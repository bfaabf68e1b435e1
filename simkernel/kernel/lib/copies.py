"""A counter of copied bytes (include/linux/instrumented.h, whose hooks are at the same copies).

The kernel charges each copy across the boundary, and each copy into a message of its own, through
`CostModel.copy`.  An observer there sees them all, and a machine without one pays nothing.
"""

from __future__ import annotations

import attrs


@attrs.define
class Copies:
    """The number of copies, and their bytes in all."""

    count: int = 0
    bytes: int = 0

    def add(self, size: int) -> None:
        """Count a copy of `size` bytes (`CostModel.on_copy`)."""
        self.count += 1
        self.bytes += size
