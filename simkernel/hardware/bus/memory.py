"""Physical memory: regions that the kernel allocates and devices access through DMA.

The simulation allocates host memory only for regions.  An access must be within one
region.  Two regions can be adjacent, but no access can span both.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from typing import Final

from simkernel.engine import SimulationError
from simkernel.hardware.bus import registers as sheet

MEMORY_SIZE: Final = 1 << 30


class Memory:
    """The physical memory of one machine.

    `allotted` is the number of allocated bytes; `len(memory)` is the number of regions.
    """

    def __init__(self, size: int = MEMORY_SIZE, base: int = sheet.MEMORY_BASE) -> None:
        self.base = base
        self.size = size
        self.allotted = 0
        self._starts: list[int] = []
        self._regions: dict[int, memoryview] = {}

    def __repr__(self) -> str:
        return f"<Memory with {self.allotted} of {self.size} bytes allotted>"

    def __len__(self) -> int:
        return len(self._starts)

    def allocate(self, size: int, align: int = 64) -> int:
        """Allocate a zeroed region of `size` bytes and return its address, a multiple of `align`.

        The region is placed in the lowest gap that is large enough.  Raise MemoryError if no gap is.
        """
        if size <= 0 or align <= 0 or align & (align - 1):
            raise SimulationError(
                f"allocate({size}, align={align}): the size must be positive and the alignment a power of two"
            )
        address = _aligned(self.base, align)
        for start in self._starts:
            if address + size <= start:
                break
            address = _aligned(start + len(self._regions[start]), align)
        if address + size > self.base + self.size:
            raise MemoryError(f"no free region of {size} bytes is left in {self.size} bytes of memory")
        insort(self._starts, address)
        self._regions[address] = memoryview(bytearray(size))
        self.allotted += size
        return address

    def free(self, address: int) -> None:
        """Free the region at `address`, which `allocate` returned."""
        region = self._regions.pop(address, None)
        if region is None:
            raise SimulationError(f"free({address:#x}): no region begins at this address")
        self._starts.remove(address)
        self.allotted -= len(region)

    def view(self, address: int, size: int) -> memoryview:
        """Return a writable view of `size` bytes at `address`.  All views of the region show the same memory.

        Raise SimulationError if they are not all in one allocated region.
        """
        view = self.find(address, size)
        if view is None:
            raise SimulationError(f"view({address:#x}, {size}): not within an allocated region")
        return view

    def find(self, address: int, size: int) -> memoryview | None:
        """Return a writable view of `size` bytes at `address`, as `view` does. If no allocated region
        contains all these bytes, return None.
        """
        index = bisect_right(self._starts, address) - 1
        if index < 0 or size < 0:
            return None
        start = self._starts[index]
        region = self._regions[start]
        offset = address - start
        if offset + size > len(region):
            return None
        return region[offset : offset + size]


def _aligned(address: int, align: int) -> int:
    return (address + align - 1) & -align
