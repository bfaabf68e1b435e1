"""A mapped area of a process's address space (`struct vm_area_struct`)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import attrs

from simkernel.uapi.errno import EINVAL, os_error
from simkernel.uapi.mman import MAP_SHARED, MAP_TYPE, PROT_WRITE, page_align


class MappedFile(Protocol):
    """An open file to which an area holds a reference while the area is mapped."""

    def get(self) -> object:
        """Take a reference to the file."""

    def put(self) -> object:
        """Drop a reference to the file."""


@attrs.define(eq=False)
class VmArea:
    """A range of addresses from `start` on, and its memory.

    `length` is the requested length and `offset` the offset in the file, both in bytes.  A file's `mmap`
    sets the memory with `map`. `opened` is called when another process gets the area, `closed` when a
    process loses it (`struct vm_operations_struct`).
    """

    length: int
    prot: int
    flags: int
    file: MappedFile | None
    offset: int
    start: int = 0
    memory: memoryview | None = None
    private_data: Any = None
    opened: Callable[[VmArea], None] | None = None
    closed: Callable[[VmArea], None] | None = None

    @property
    def end(self) -> int:
        """The first address after the area, aligned to a page."""
        return self.start + page_align(self.length)

    @property
    def shared(self) -> bool:
        """True if writes change the file and are visible in other mappings of it."""
        return bool(self.flags & MAP_TYPE & MAP_SHARED)

    @property
    def writable(self) -> bool:
        """True if the program may write to the area."""
        return bool(self.prot & PROT_WRITE)

    def map(self, memory: memoryview, offset: int = 0) -> None:
        """Use `memory`, from `offset` on, as the memory of the area (`remap_pfn_range()`). Raise EINVAL if
        `memory` is too short for the area.

        Memory is mapped in whole pages, so a driver allocates `page_align(size)` bytes.
        """
        end = offset + self.length
        if offset < 0 or end > len(memory):
            raise os_error(EINVAL)
        self.memory = memory[offset:end]
