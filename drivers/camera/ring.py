"""The ring of DMA descriptors that the driver and the device share, and the ring of buffers for netlink
streams.

Either the driver or the device owns a descriptor.  The device fills the buffers in the order of the ring.

`Ring` keeps a finished frame for its readers until the device needs the buffer again.  The device always
owns the DEVICE_SHARE buffers from `tail` on, so the oldest frame is overwritten, read or not: for a live
picture, a new frame is worth more than an old one.  A slow program misses frames, and `overwritten` counts
them.  V4L2 streams (capture.py) do the opposite: if the program returns no buffers, the device has none
and drops new frames.

The caller holds the camera's spinlock, because the interrupt handler uses the ring, too.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import takewhile

import attrs

from simkernel.driverapi.dma import DmaBuffer, dma_alloc_coherent, dma_free_coherent
from simkernel.driverapi.simbus import SimbusDevice
from simkernel.hardware.camera import registers as hw

DEVICE_SHARE = 2
"""Number of buffers that the device always owns: the one that it fills and the next one."""


@attrs.define(eq=False)
class Frame:
    """A frame in a buffer.  Times are in ns of the machine's clock.

    `kept` becomes False when the buffer is reused for another frame.  `delivered` becomes True when a
    program has read the whole frame.
    """

    slot: int
    sequence: int
    checksum: int
    pixels: memoryview
    exposure_start: int
    readout_end: int
    dma_done: int
    interrupt: int
    kept: bool = True
    delivered: bool = False


class Descriptors:
    """A ring of `count` DMA descriptors. The driver owns all of them at first. Raise ENOMEM if allocation
    fails.

    `tail` is the index of the next descriptor that the device returns.  `latest` is the newest frame that
    can be read.
    """

    def __init__(self, device: SimbusDevice, count: int) -> None:
        self._device = device
        self._count = count
        self.tail = 0
        self.latest: Frame | None = None
        self.collected = 0
        """Number of frames that were collected from the device."""
        self.overwritten = 0
        """Number of frames that were overwritten before a program had read them."""
        self._memory = dma_alloc_coherent(device, count * hw.DESCRIPTOR_SIZE)

    def __len__(self) -> int:
        return self._count

    @property
    def address(self) -> int:
        """The DMA address of the ring."""
        return self._memory.address

    @property
    def unread(self) -> int:
        """Number of collected frames that no program has read completely."""
        raise NotImplementedError

    def collect(self, now: int) -> list[Frame]:
        """Collect the frames in the descriptors that the device has returned, the oldest first."""
        raise NotImplementedError

    def device_slots(self) -> Iterator[int]:
        """Yield the indices of the descriptors that the driver has passed to the device and has not yet
        collected, starting with `self.tail`.
        """
        raise NotImplementedError

    def uncollected(self) -> int:
        """Return the number of frames that the device has returned but the driver has not collected."""
        flags = (self.descriptor(slot)[0] for slot in self.device_slots())
        done = takewhile(lambda flag: not flag & hw.DESCRIPTOR_DEVICE, flags)
        return sum(bool(flag & hw.DESCRIPTOR_DONE) for flag in done)

    def frame(self, pixels: memoryview, now: int) -> Frame:
        """Return the frame of the descriptor `self.tail`, and count it in `collected`. `now` is the current
        time in ns.
        """
        _, _, _, _, sequence, checksum, exposure_start, readout_end, dma_done = self.descriptor(self.tail)
        self.collected += 1
        return Frame(self.tail, sequence, checksum, pixels, exposure_start, readout_end, dma_done, now)

    def find(self, sequence: int) -> Frame | None:
        """Return the frame with this sequence number if a buffer still holds it, else None."""
        return None

    def free(self) -> None:
        """Free the memory of the ring. The caller has stopped the device's access to it."""
        dma_free_coherent(self._device, self._memory)

    def give_to_device(self, slot: int, address: int, length: int) -> None:
        """Pass a buffer to the device: write the buffer's address to the descriptor `slot`."""
        hw.DESCRIPTOR.pack_into(
            self._memory.memory,
            slot * hw.DESCRIPTOR_SIZE,
            hw.DESCRIPTOR_DEVICE,
            address,
            length,
            *(0, 0, 0, 0, 0, 0),
        )

    def descriptor(self, slot: int) -> tuple[int, ...]:
        """Return the fields of the descriptor `slot`, in the layout of hw.DESCRIPTOR."""
        return hw.DESCRIPTOR.unpack_from(self._memory.memory, slot * hw.DESCRIPTOR_SIZE)


class Ring(Descriptors):
    """A ring with `count` buffers of `size` bytes. The device owns all of them at first.

    Raise ENOMEM if allocation fails.
    """

    def __init__(self, device: SimbusDevice, count: int, size: int) -> None:
        super().__init__(device, count)
        self._frames: list[Frame | None] = [None] * count
        self._buffers: list[DmaBuffer] = []
        try:
            for slot in range(count):
                self._buffers.append(dma_alloc_coherent(device, size))
                self._give_buffer(slot)
        except OSError:
            self.free()
            raise

    def __iter__(self) -> Iterator[Frame]:
        """Iterate over the frames that the buffers hold."""
        return (frame for frame in self._frames if frame is not None)

    def free(self) -> None:
        for frame in self:
            frame.kept = False
        for buffer in self._buffers:
            dma_free_coherent(self._device, buffer)
        super().free()

    def collect(self, now: int) -> list[Frame]:
        frames = []
        while not (descriptor := self.descriptor(self.tail))[0] & hw.DESCRIPTOR_DEVICE:
            flags, _, _, used, *_ = descriptor
            if flags & hw.DESCRIPTOR_DONE:
                frame = self.frame(self._buffers[self.tail].memory[:used], now)
                self._frames[self.tail] = self.latest = frame
                frames.append(frame)
            else:
                self._give_buffer(self.tail)
            self.tail = (self.tail + 1) % len(self)
            self._reclaim((self.tail + DEVICE_SHARE - 1) % len(self))
        return frames

    def device_slots(self) -> Iterator[int]:
        slots = ((self.tail + ahead) % len(self) for ahead in range(len(self)))
        return takewhile(lambda slot: self._frames[slot] is None, slots)

    def find(self, sequence: int) -> Frame | None:
        return next((frame for frame in self if frame.sequence == sequence), None)

    @property
    def unread(self) -> int:
        return sum(not frame.delivered for frame in self)

    def _reclaim(self, slot: int) -> None:
        """Pass a buffer to the device and drop the frame in it, if any."""
        frame = self._frames[slot]
        if frame is not None:
            frame.kept = False
            self.overwritten += not frame.delivered
            self._give_buffer(slot)

    def _give_buffer(self, slot: int) -> None:
        buffer = self._buffers[slot]
        self._frames[slot] = None
        self.give_to_device(slot, buffer.address, buffer.size)
