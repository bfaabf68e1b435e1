"""Physical memory: regions at addresses, allotted by the kernel, reached by devices through DMA.

A region takes no real memory until it is allotted.  An access must lie within one region; two
regions may touch, but nothing reaches from one into the next.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from typing import Final

from simkernel.engine import SimulationError
from simkernel.hardware.bus import registers as sheet

MEMORY_SIZE: Final = 1 << 30


class Memory:
    """The memory of one machine.

    `allotted` is how many bytes are allotted at present; `len(memory)` says in how many regions.
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

    def allot(self, size: int, align: int = 64) -> int:
        """The address of a new zeroed region of `size` bytes, a multiple of `align`.

        The lowest gap that fits is taken.  MemoryError if none does.
        """
        if size <= 0 or align <= 0 or align & (align - 1):
            raise SimulationError(
                f"allot({size}, align={align}): a size is positive and an alignment a power of two"
            )
        address = _aligned(self.base, align)
        for start in self._starts:
            if address + size <= start:
                break
            address = _aligned(start + len(self._regions[start]), align)
        if address + size > self.base + self.size:
            raise MemoryError(f"no gap of {size} bytes in {self.size} bytes of memory")
        insort(self._starts, address)
        self._regions[address] = memoryview(bytearray(size))
        self.allotted += size
        return address

    def free(self, address: int) -> None:
        """Give back the region that `allot` placed at `address`."""
        region = self._regions.pop(address, None)
        if region is None:
            raise SimulationError(f"free({address:#x}): no region begins there")
        self._starts.remove(address)
        self.allotted -= len(region)

    def view(self, address: int, size: int) -> memoryview:
        """The bytes at `address`, shared with whoever else uses them.

        SimulationError if they are not all in one allotted region.
        """
        view = self.find(address, size)
        if view is None:
            raise SimulationError(f"view({address:#x}, {size}): not within an allotted region")
        return view

    def find(self, address: int, size: int) -> memoryview | None:
        """As `view`, but None if the bytes are not all in one allotted region."""
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
