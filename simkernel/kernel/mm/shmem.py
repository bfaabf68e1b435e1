"""The contents of a file in memory: tmpfs, memfd, shared memory (mm/shmem.c).

A page is allocated at its first write or mapping. A range without a page is a hole and reads as zeros.
Mapped pages are never moved, because program and file share them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import attrs

from simkernel.uapi.errno import ENOSPC, os_error
from simkernel.uapi.mman import PAGE_SIZE, page_align

MAX_MAPPED_IN_FULL: Final = 16 << 20
"""The first mapping of a file of at most this size, in bytes, allocates all pages of the file. Each mapping
of a larger file allocates only the mapped pages.
"""
MAX_LFS_FILESIZE: Final = (1 << 63) - 1
"""Maximum size of a file in bytes."""


@attrs.define(eq=False)
class Extent:
    """Contiguous pages of a file from offset `start` on.

    `mapped` is true once a program has mapped them.
    """

    start: int
    memory: bytearray
    mapped: bool = False

    @property
    def end(self) -> int:
        """Offset in the file of the first byte after the pages."""
        return self.start + len(self.memory)


@attrs.define(eq=False)
class Space:
    """The memory that all files of a file system share: `limit` bytes, of which `used` are allocated."""

    limit: int
    used: int = 0

    def take(self, size: int) -> None:
        """Reserve `size` bytes.  Raise ENOSPC if this exceeds the limit (`shmem_inode_acct_blocks()`)."""
        if self.used + size > self.limit:
            raise os_error(ENOSPC)
        self.used += size


class Pages:
    """The contents of a file.  `size` is its size in bytes."""

    __slots__ = ("_extents", "_space", "size")

    def __init__(self, space: Space) -> None:
        self.size = 0
        self._space = space
        self._extents: list[Extent] = []

    @property
    def allotted(self) -> int:
        """Number of bytes of the allocated pages."""
        return sum(len(extent.memory) for extent in self._extents)

    def read(self, position: int, size: int) -> bytes:
        """Return up to `size` bytes from `position` on, b"" at the end of the file."""
        end = min(position + size, self.size)
        if end <= position:
            return b""
        for extent in self._extents:
            if extent.start <= position and end <= extent.end:
                return bytes(memoryview(extent.memory)[position - extent.start : end - extent.start])
        data = bytearray(end - position)
        for extent in self._between(position, end):
            first, last = max(position, extent.start), min(end, extent.end)
            piece = memoryview(extent.memory)[first - extent.start : last - extent.start]
            data[first - position : last - position] = piece
        return bytes(data)

    def write(self, position: int, data: bytes) -> None:
        """Write `data` at `position` and extend the file if necessary. Raise ENOSPC if the file system is
        full.
        """
        end = position + len(data)
        self._allot(position, end)
        for extent in self._between(position, end):
            first, last = max(position, extent.start), min(end, extent.end)
            place = memoryview(extent.memory)[first - extent.start : last - extent.start]
            place[:] = data[first - position : last - position]
        self.size = max(self.size, end)

    def truncate(self, size: int) -> None:
        """Set the size of the file. If the file shrinks, the bytes after its new end are lost. If it grows,
        the added bytes are zeros.

        Mapped pages stay allocated and are zeroed. On Linux a program that accesses them gets SIGBUS.
        """
        if size < self.size:
            for extent in self._between(size, MAX_LFS_FILESIZE):
                self._cut(extent, size)
            self._extents = [extent for extent in self._extents if extent.memory]
        self.size = size

    def view(self, position: int, size: int, unmodelled: Callable[[str], Exception]) -> memoryview:
        """Return the contiguous memory of `size` bytes at `position`, for a mapping. Raise ENOSPC if the file
        system is full.

        The first mapping allocates all pages of a file that is not large, because another mapping may
        follow.
        """
        end = page_align(position + size)
        first, last = position, end
        if max(self.size, end) <= MAX_MAPPED_IN_FULL and not any(extent.mapped for extent in self._extents):
            first, last = 0, max(page_align(self.size), end)
        self._allot(first, last)
        extents = self._between(first, last)
        if len(extents) > 1:
            if any(extent.mapped for extent in extents):
                raise unmodelled(
                    "mmap of file pages that were allocated at different times is not modelled if a program "
                    "has already mapped some of these pages"
                )
            extents = [self._merge(extents)]
        (extent,) = extents
        extent.mapped = True
        return memoryview(extent.memory)[position - extent.start : position - extent.start + size]

    def free(self) -> None:
        """Free all pages, because the file is deleted."""
        self._space.used -= self.allotted
        self._extents = []

    def data_from(self, position: int) -> int | None:
        """Return the offset of the next data from `position` on (SEEK_DATA), or None."""
        return next((max(e.start, position) for e in self._between(position, self.size)), None)

    def hole_from(self, position: int) -> int:
        """Return the offset of the next hole from `position` on (SEEK_HOLE). The end of the file counts as a
        hole.
        """
        for extent in self._between(position, self.size):
            if extent.start > position:
                break
            position = extent.end
        return min(position, self.size)

    # -- pages ------------------------------------------------------------------

    def _between(self, start: int, end: int) -> list[Extent]:
        return [extent for extent in self._extents if extent.start < end and start < extent.end]

    def _allot(self, start: int, end: int) -> None:
        """Allocate the missing pages from `start` to `end`."""
        start, end = start // PAGE_SIZE * PAGE_SIZE, page_align(end)
        gaps = []
        for extent in self._between(start, end):
            if start < extent.start:
                gaps.append((start, extent.start))
            start = extent.end
        if start < end:
            gaps.append((start, end))
        for first, last in gaps:
            self._space.take(last - first)
            self._fill(first, last)

    def _fill(self, first: int, last: int) -> None:
        before = next((e for e in self._extents if e.end == first and not e.mapped), None)
        if before is not None:
            before.memory.extend(bytes(last - first))
        else:
            self._extents.append(Extent(first, bytearray(last - first)))
            self._extents.sort(key=lambda extent: extent.start)

    def _merge(self, extents: list[Extent]) -> Extent:
        """Replace adjacent extents by one extent. The caller has checked that none of them is mapped."""
        merged = Extent(extents[0].start, bytearray().join(extent.memory for extent in extents))
        self._extents = [extent for extent in self._extents if extent not in extents] + [merged]
        self._extents.sort(key=lambda extent: extent.start)
        return merged

    def _cut(self, extent: Extent, size: int) -> None:
        kept = len(extent.memory) if extent.mapped else max(page_align(size) - extent.start, 0)
        self._space.used -= len(extent.memory) - kept
        del extent.memory[kept:]
        zeroed = max(size - extent.start, 0)
        extent.memory[zeroed:] = bytes(len(extent.memory) - zeroed)
