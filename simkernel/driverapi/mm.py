"""include/linux/mm.h and vmalloc.h: memory that programs map, shared with the driver.

def mmap(file: File, area: VmArea) -> None:
    if area.offset + area.length > len(file.private_data.memory):
        raise os_error(EINVAL)
    remap_vmalloc_range(area, file.private_data.memory, area.offset)

`area.opened` and `area.closed` may be set to functions of the area, which are called when one more
process has it mapped and when one has it no more.  The area keeps its file open.
"""

from __future__ import annotations

from simkernel.kernel.mm.dma import DmaBuffer
from simkernel.kernel.mm.vma import VmArea as VmArea
from simkernel.uapi.errno import EINVAL, os_error
from simkernel.uapi.mman import PAGE_SIZE as PAGE_SIZE
from simkernel.uapi.mman import page_align as page_align


def vmalloc_user(size: int) -> memoryview:
    """Zeroed memory for programs to map: `size` bytes, rounded up to whole pages.  EINVAL for none."""
    if size <= 0:
        raise os_error(EINVAL)
    return memoryview(bytearray(page_align(size)))


def remap_vmalloc_range(area: VmArea, memory: memoryview, offset: int = 0) -> None:
    """Let `area` be `memory` from `offset` bytes on.  EINVAL if that is too short."""
    area.map(memory, offset)


def dma_mmap_coherent(area: VmArea, buffer: DmaBuffer, offset: int = 0) -> None:
    """Let `area` be what a device writes to by itself.  EINVAL if that is too short."""
    area.map(buffer.memory, offset)
