"""A counter of copied bytes (compare `instrument_copy_to_user()` in include/linux/instrumented.h).

The kernel charges the cost of each copy between program and kernel, and of each copy into a message, with
`CostModel.copy`.  An observer of this method sees all copies. A machine without an observer pays nothing
for it.
"""

from __future__ import annotations

import attrs


@attrs.define
class Copies:
    """The number of copies that the cost model has charged, and the total number of bytes in these copies."""

    count: int = 0
    bytes: int = 0

    def add(self, size: int) -> None:
        """Count a copy of `size` bytes (`CostModel.on_copy`)."""
        self.count += 1
        self.bytes += size
