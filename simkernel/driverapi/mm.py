"""include/linux/mm.h and vmalloc.h: memory that programs map and share with the driver.

    def mmap(file: File, area: VmArea) -> None:
        if area.offset + area.length > len(file.private_data.memory):
            raise os_error(EINVAL)
        remap_vmalloc_range(area, file.private_data.memory, area.offset)

A driver can set `area.opened` and `area.closed` to functions, which are called when another process maps
the area and when a process unmaps it. The area keeps its file open.
"""

from __future__ import annotations

from simkernel.kernel.mm.dma import DmaBuffer
from simkernel.kernel.mm.vma import VmArea as VmArea
from simkernel.uapi.errno import EINVAL, os_error
from simkernel.uapi.mman import PAGE_SIZE as PAGE_SIZE
from simkernel.uapi.mman import page_align as page_align


def vmalloc_user(size: int) -> memoryview:
    """Allocate `size` zeroed bytes, rounded up to whole pages, that programs can map. Raise EINVAL if
    `size` is 0.
    """
    if size <= 0:
        raise os_error(EINVAL)
    return memoryview(bytearray(page_align(size)))


def remap_vmalloc_range(area: VmArea, memory: memoryview, offset: int = 0) -> None:
    """Map `memory`, from byte `offset` on, into `area` (a VMA) of a program's address space. Raise EINVAL if
    the memory is too short for the area.
    """
    area.map(memory, offset)


def dma_mmap_coherent(area: VmArea, buffer: DmaBuffer, offset: int = 0) -> None:
    """Map a DMA buffer, from byte `offset` on, into `area` (a VMA) of a program's address space. Raise EINVAL
    if the buffer is too short for the area.
    """
    area.map(buffer.memory, offset)
