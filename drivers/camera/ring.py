"""The ring of descriptors that driver and device share, and what the netlink family does with it.

A descriptor belongs to one side at a time; the device fills the buffers in turn.

`Ring` keeps a frame that has come for whoever wants to read it until its buffer is needed again:
DEVICE_SHARE buffers from `tail` on always belong to the device, so the oldest frame has to make
way, read or not.  A live picture is worth more than an old one; who is too slow misses frames, and
`overwritten` counts them.  (V4L2 has it the other way round, in capture.py: the program gives buffers
back, and when it does not, the device has none.)

Whoever calls holds the camera's spinlock, since the interrupt handler works here too.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import takewhile

import attrs

from simkernel.driverapi.dma import DmaBuffer, dma_alloc_coherent, dma_free_coherent
from simkernel.driverapi.simbus import SimbusDevice
from simkernel.hardware.camera import registers as hw

DEVICE_SHARE = 2
"""One buffer that is being filled, and the next."""


@attrs.define(eq=False)
class Frame:
    """A frame in a buffer.  Times are in nanoseconds of the machine's clock.

    `kept` ends when the buffer is given to another frame; `delivered` begins when some program has
    read all of it.
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
    """`count` descriptors, none of which is the device's yet.  ENOMEM if there is no memory for them.

    `tail` is the one that the device gives back next; `latest` the newest frame that can be read.
    """

    def __init__(self, device: SimbusDevice, count: int) -> None:
        self._device = device
        self._count = count
        self.tail = 0
        self.latest: Frame | None = None
        self.collected = 0
        """Frames that have come."""
        self.overwritten = 0
        """Frames that were not read before their buffer was needed."""
        self._memory = dma_alloc_coherent(device, count * hw.DESCRIPTOR_SIZE)

    def __len__(self) -> int:
        return self._count

    @property
    def address(self) -> int:
        """Where the device finds them."""
        return self._memory.address

    @property
    def unread(self) -> int:
        """How many of the frames that came no program has read to the end."""
        raise NotImplementedError

    def collect(self, now: int) -> list[Frame]:
        """Take what the device has given back, the oldest first."""
        raise NotImplementedError

    def device_slots(self) -> Iterator[int]:
        """The slots of the buffers that the device has, or has given back uncollected: from `tail` on."""
        raise NotImplementedError

    def uncollected(self) -> int:
        """Frames that the device has given back and nobody has collected yet."""
        flags = (self.descriptor(slot)[0] for slot in self.device_slots())
        done = takewhile(lambda flag: not flag & hw.DESCRIPTOR_DEVICE, flags)
        return sum(bool(flag & hw.DESCRIPTOR_DONE) for flag in done)

    def frame(self, pixels: memoryview, now: int) -> Frame:
        """Count and describe the frame at `tail`, collected at the instant `now`."""
        _, _, _, _, sequence, checksum, exposure_start, readout_end, dma_done = self.descriptor(self.tail)
        self.collected += 1
        return Frame(self.tail, sequence, checksum, pixels, exposure_start, readout_end, dma_done, now)

    def find(self, sequence: int) -> Frame | None:
        """The frame of that number, if it is kept to be read."""
        return None

    def free(self) -> None:
        """Give the memory back; the device must not use it any more."""
        dma_free_coherent(self._device, self._memory)

    def give_to_device(self, slot: int, address: int, length: int) -> None:
        """Let the device have a buffer."""
        hw.DESCRIPTOR.pack_into(
            self._memory.memory,
            slot * hw.DESCRIPTOR_SIZE,
            hw.DESCRIPTOR_DEVICE,
            address,
            length,
            *(0, 0, 0, 0, 0, 0),
        )

    def descriptor(self, slot: int) -> tuple[int, ...]:
        """A descriptor, as hw.DESCRIPTOR has it."""
        return hw.DESCRIPTOR.unpack_from(self._memory.memory, slot * hw.DESCRIPTOR_SIZE)


class Ring(Descriptors):
    """`count` buffers of `size` bytes, all of them the device's.  ENOMEM if there is no memory for them."""

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
        """The frames that are kept."""
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
        """Let the device have a buffer, whatever is in it."""
        frame = self._frames[slot]
        if frame is not None:
            frame.kept = False
            self.overwritten += not frame.delivered
            self._give_buffer(slot)

    def _give_buffer(self, slot: int) -> None:
        buffer = self._buffers[slot]
        self._frames[slot] = None
        self.give_to_device(slot, buffer.address, buffer.size)
