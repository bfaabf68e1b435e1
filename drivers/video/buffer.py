"""The buffers of a queue and their memory (videobuf2-core.h, videobuf2-dma-contig.c)."""

from __future__ import annotations

from enum import Enum
from typing import Any

import attrs

from simkernel.driverapi.atomic import xchg
from simkernel.driverapi.device import Device
from simkernel.driverapi.dma import DmaBuffer, dma_alloc_coherent, dma_free_coherent
from simkernel.driverapi.mm import PAGE_SIZE, VmArea, dma_mmap_coherent, page_align
from simkernel.driverapi.refcount import Refcount, refcount_dec_and_test, refcount_inc, refcount_read

PLANE_INDEX_BITS = 3
OFFSET_UNIT = PAGE_SIZE << PLANE_INDEX_BITS
"""Unit of the mmap offsets (PLANE_INDEX_SHIFT). A buffer's offset is its index times this unit. The offset
only identifies the buffer; it is not a position in memory.
"""
OFFSET_MASK = (1 << 30) - 1
"""The bits of an mmap offset that the kernel evaluates (BUFFER_INDEX_MASK)."""


class BufferState(Enum):
    """The state of a buffer. It determines the buffer's owner: program, queue or driver
    (`enum vb2_buffer_state`).
    """

    DEQUEUED = "owned by the program"
    QUEUED = "owned by the queue, not yet passed to the driver"
    ACTIVE = "owned by the driver"
    DONE = "owned by the queue, holds a frame"
    ERROR = "owned by the queue, holds no valid frame"


class Memory:
    """The memory of one buffer: `size` bytes that the device and programs access.  Raise ENOMEM if allocation
    fails.

    It is reference-counted (`vb2_dc_buf.refcount`): the queue and each mapping hold a reference.  So a
    buffer can be freed while a program maps it (V4L2_BUF_CAP_SUPPORTS_ORPHANED_BUFS).
    """

    def __init__(self, device: Device, size: int) -> None:
        self._device = device
        self.buffer: DmaBuffer | None = dma_alloc_coherent(device, page_align(size))
        self.address = self.buffer.address
        self._users = Refcount()

    @property
    def mapped(self) -> bool:
        """True if a program maps the memory (`vb2_buffer_in_use()`)."""
        return refcount_read(self._users) > 1

    @property
    def used(self) -> bool:
        """True while the queue or a mapping holds a reference to the memory."""
        return refcount_read(self._users) > 0

    def map(self, area: VmArea) -> None:
        """Map the memory into a program."""
        assert self.buffer is not None
        dma_mmap_coherent(area, self.buffer)
        area.opened = self._opened
        area.closed = self._closed
        refcount_inc(self._users)

    def view(self, length: int) -> memoryview:
        """Return the first `length` bytes of the memory, without copying them."""
        assert self.buffer is not None
        return self.buffer.memory[:length]

    def put(self) -> None:
        """Drop one reference to the memory. Free the memory after the last reference."""
        if refcount_dec_and_test(self._users):
            self.free()

    def free(self) -> None:
        """Free the DMA memory now, so that the device can no longer access it. Programs that have mapped it
        keep their mappings.
        """
        # Clear `self.buffer` atomically, because the last munmap(2) can call free() at the same time.
        buffer = xchg(self, "buffer", None)
        if buffer is not None:
            dma_free_coherent(self._device, buffer)

    def _opened(self, area: VmArea) -> None:
        refcount_inc(self._users)

    def _closed(self, area: VmArea) -> None:
        self.put()


@attrs.define(eq=False)
class Buffer:
    """A buffer of a queue (`struct vb2_v4l2_buffer`). Before a driver calls `vb2_buffer_done`, it describes
    the frame in the fields `sequence`, `timestamp`, `field` and `bytesused`.

    `timestamp` is in ns. `bytesused` is the size of the frame in bytes. `flow` is the flow id for traces.
    `private` belongs to the driver.
    """

    queue: Any
    index: int
    length: int
    memory: Memory
    state: BufferState = BufferState.DEQUEUED
    prepared: bool = False
    timestamp: int = 0
    sequence: int = 0
    field: int = 0
    flags: int = 0
    bytesused: int = 0
    flow: int = 0
    private: Any = None

    @property
    def offset(self) -> int:
        """The offset at which a program maps the buffer (`__setup_offsets()`)."""
        return self.index * OFFSET_UNIT
