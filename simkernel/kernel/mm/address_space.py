"""The address space of a process (`struct mm_struct`): its mapped areas.

Areas are placed from the top down, as `arch_get_unmapped_area_topdown()` does, without randomization. The
range of the stack is above the areas. A buffer that a program passes to a system call gets an address in
this range, until the call returns.
"""

from __future__ import annotations

from bisect import insort
from operator import attrgetter
from typing import Final

from simkernel.kernel.mm.vma import VmArea
from simkernel.uapi.errno import EFAULT, ENOMEM, os_error
from simkernel.uapi.mman import PROT_READ, PROT_WRITE, page_align

STACK_TOP: Final = 0x7FFF_FFFF_F000
"""End of a program's address space: 2^47 minus a guard page (TASK_SIZE_MAX of x86-64)."""
MMAP_BASE: Final = 0x7FFF_F7FF_F000
"""Highest address of a mapping, below the gap for the stack (`mmap_base()`)."""
MMAP_MIN_ADDR: Final = 0x1_0000
"""Lowest address of a mapping (vm.mmap_min_addr)."""
MAX_MAP_COUNT: Final = 65530
"""Maximum number of mapped areas in a process (vm.max_map_count)."""
RAM_SIZE: Final = 512 << 20
"""Size of a machine's memory in bytes."""
ALIGNMENT: Final = 16
"""Alignment in bytes of buffers on the stack."""


class AddressSpace:
    """The mapped areas of a process, ordered by address, and the buffers of its current system call.

    `mappings` is the machine's table of mapped areas.
    """

    __slots__ = ("_call_buffers", "_mappings", "areas", "limit")

    def __init__(self, mappings: dict[VmArea, None], limit: int = MMAP_BASE) -> None:
        self._mappings = mappings
        self.areas: list[VmArea] = []
        self.limit = limit
        """Maximum number of mapped bytes (RLIMIT_AS)."""
        self._call_buffers: list[tuple[int, memoryview]] = []

    # -- areas ----------------------------------------------------------------

    @property
    def mapped(self) -> int:
        """Number of mapped bytes (`total_vm`)."""
        return sum(area.end - area.start for area in self.areas)

    def insert(self, area: VmArea) -> int:
        """Place an area at a free address and return this address.  Raise ENOMEM if no range is free."""
        size = page_align(area.length)
        if len(self.areas) >= MAX_MAP_COUNT or self.mapped + size > self.limit:
            raise os_error(ENOMEM)
        top = MMAP_BASE
        for other in reversed(self.areas):
            if top - other.end >= size:
                break
            top = other.start
        if top - size < MMAP_MIN_ADDR:
            raise os_error(ENOMEM)
        area.start = top - size
        insort(self.areas, area, key=attrgetter("start"))
        self._mappings[area] = None
        return area.start

    def remove(self, area: VmArea) -> None:
        """Remove an area. Call the area's callback `closed` and drop the area's reference to its file
        (`remove_vma()`).

        If the area is already removed, nothing happens.
        """
        if area not in self.areas:
            return
        self.areas.remove(area)
        del self._mappings[area]
        if area.closed is not None:
            area.closed(area)
        if area.file is not None:
            area.file.put()

    def clear(self) -> None:
        """Remove all areas, because the process has ended (`exit_mmap()`)."""
        for area in tuple(self.areas):
            self.remove(area)

    def find(self, address: int) -> VmArea | None:
        """Return the area that contains `address`, or None (`vma_lookup()`)."""
        for area in self.areas:
            if area.start <= address < area.end:
                return area
        return None

    # -- access by the kernel ---------------------------------------------------

    def read(self, address: int, size: int) -> bytes:
        """Return the `size` bytes at `address` (`copy_from_user()`). Raise EFAULT if not all of them are
        readable.
        """
        pieces = []
        while size > 0:
            piece = self._reach(address, size, PROT_READ)
            pieces.append(piece.tobytes())
            address += len(piece)
            size -= len(piece)
        return b"".join(pieces)

    def write(self, address: int, data: bytes) -> None:
        """Write `data` to the memory at `address` (`copy_to_user()`).

        Raises EFAULT if not all of the memory is writable; the bytes before the fault are written.
        """
        start = 0
        while start < len(data):
            piece = self._reach(address + start, len(data) - start, PROT_WRITE)
            piece[:] = data[start : start + len(piece)]
            start += len(piece)

    def _reach(self, address: int, size: int, wanted: int) -> memoryview:
        """Return the memory from `address` to the end of its area or buffer, but at most `size` bytes.

        Raises EFAULT if nothing is mapped there with the protection `wanted`.
        """
        for start, buffer in self._call_buffers:
            if start <= address < start + len(buffer):
                if wanted == PROT_WRITE and buffer.readonly:
                    break
                return buffer[address - start : address - start + size]
        area = self.find(address)
        if area is None or area.memory is None or not area.prot & wanted:
            raise os_error(EFAULT)
        offset = address - area.start
        piece = area.memory[offset : offset + size]
        if not piece:
            raise os_error(EFAULT)
        return piece

    # -- buffers of calls -------------------------------------------------------

    def map_buffer(self, buffer: memoryview) -> int:
        """Choose and return an address for a buffer that a program passes to a call. The address is below the
        buffers that are already mapped.
        """
        lowest = min((start for start, _ in self._call_buffers), default=STACK_TOP)
        address = (lowest - max(len(buffer), 1)) & -ALIGNMENT
        if address < MMAP_BASE:
            raise os_error(ENOMEM)
        self._call_buffers.append((address, buffer))
        return address

    def unmap_buffer(self, address: int) -> None:
        """Remove a buffer that was mapped for a call, because the call has returned."""
        self._call_buffers = [each for each in self._call_buffers if each[0] != address]


def private_memory(size: int) -> memoryview:
    """Return new memory of `size` bytes. Raise ENOMEM if `size` exceeds the size of the machine's memory
    (`__vm_enough_memory()`).

    Linux permits a larger mapping that is private and read-only, or has MAP_NORESERVE: it allocates a page at
    the first access. simkernel allocates all pages at once.
    """
    if size > RAM_SIZE:
        raise os_error(ENOMEM)
    return memoryview(bytearray(size))
