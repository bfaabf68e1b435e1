"""Buffers of a queue, and the memory behind them (videobuf2-core.h, videobuf2-dma-contig.c)."""

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
"""The offset to map a buffer at is its index in these (PLANE_INDEX_SHIFT): a name for it, and no place."""
OFFSET_MASK = (1 << 30) - 1
"""What of an offset is looked at (BUFFER_INDEX_MASK)."""


class BufferState(Enum):
    """Whose a buffer is (`enum vb2_buffer_state`)."""

    DEQUEUED = "the program's"
    QUEUED = "the queue's: not given to the driver yet"
    ACTIVE = "the driver's"
    DONE = "the queue's: there is a frame in it"
    ERROR = "the queue's: no good frame came"


class Memory:
    """What one buffer holds its frame in: `size` bytes that a device and programs reach.  ENOMEM.

    It lives while the queue has the buffer or a program has it mapped (`vb2_dc_buf.refcount`), so
    buffers may be freed while they are mapped (V4L2_BUF_CAP_SUPPORTS_ORPHANED_BUFS).
    """

    def __init__(self, device: Device, size: int) -> None:
        self._device = device
        self.buffer: DmaBuffer | None = dma_alloc_coherent(device, page_align(size))
        self.address = self.buffer.address
        self._users = Refcount()

    @property
    def mapped(self) -> bool:
        """Whether a program has it mapped (`vb2_buffer_in_use()`)."""
        return refcount_read(self._users) > 1

    @property
    def used(self) -> bool:
        """True while the queue or a program has it."""
        return refcount_read(self._users) > 0

    def map(self, area: VmArea) -> None:
        """Let a program have it too."""
        assert self.buffer is not None
        dma_mmap_coherent(area, self.buffer)
        area.opened = self._opened
        area.closed = self._closed
        refcount_inc(self._users)

    def view(self, length: int) -> memoryview:
        """The first `length` bytes."""
        assert self.buffer is not None
        return self.buffer.memory[:length]

    def put(self) -> None:
        """One user less; the last one gives the memory back."""
        if refcount_dec_and_test(self._users):
            self.free()

    def free(self) -> None:
        """Give the memory back now.  What a program has mapped it keeps; the device reaches it no more."""
        buffer = xchg(self, "buffer", None)  # the last munmap(2) may come meanwhile
        if buffer is not None:
            dma_free_coherent(self._device, buffer)

    def _opened(self, area: VmArea) -> None:
        refcount_inc(self._users)

    def _closed(self, area: VmArea) -> None:
        self.put()


@attrs.define(eq=False)
class Buffer:
    """A buffer (`struct vb2_v4l2_buffer`), as a driver fills it in before it says `vb2_buffer_done`.

    `timestamp` is in ns; `bytesused` bytes of the frame are in it; `flow` is what a trace joins it to;
    `private` is the driver's own.
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
        """Where to map it (`__setup_offsets()`)."""
        return self.index * OFFSET_UNIT
