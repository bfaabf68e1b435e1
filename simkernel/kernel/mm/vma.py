"""A piece of a process's address space (`struct vm_area_struct`)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import attrs

from simkernel.uapi.errno import EINVAL, os_error
from simkernel.uapi.mman import MAP_SHARED, MAP_TYPE, PROT_WRITE, page_align


class MappedFile(Protocol):
    """An open file that an area holds while it is mapped."""

    def get(self) -> object:
        """Take a reference."""

    def put(self) -> object:
        """Drop a reference."""


@attrs.define(eq=False)
class VmArea:
    """Addresses from `start` on, and the memory behind them.

    `length` is what was asked for and `offset` where in the file it begins, both in bytes.  A file's
    `mmap` gives the area its memory with `map`; `opened` and `closed` are called when one more process
    has the area, and when one has it no more (`struct vm_operations_struct`).
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
        """The first address after it, on a page."""
        return self.start + page_align(self.length)

    @property
    def shared(self) -> bool:
        """Whether writes reach the file, or others that map it."""
        return bool(self.flags & MAP_TYPE & MAP_SHARED)

    @property
    def writable(self) -> bool:
        """Whether the program may write there."""
        return bool(self.prot & PROT_WRITE)

    def map(self, memory: memoryview, offset: int = 0) -> None:
        """Let the area be `memory` from `offset` on (`remap_pfn_range()`).  EINVAL if that is too short.

        Memory is mapped in whole pages: a driver allots `page_align(size)`.
        """
        end = offset + self.length
        if offset < 0 or end > len(memory):
            raise os_error(EINVAL)
        self.memory = memory[offset:end]
