"""A camera without a kernel or a driver. The test operates its registers and its ring of buffers directly."""

from __future__ import annotations

import zlib
from typing import NamedTuple

from simkernel.hardware import Camera
from simkernel.hardware.camera import registers as regs
from tests.hardware.bench import Bench


class Taken(NamedTuple):
    """A descriptor that the device has returned, and the pixels of its buffer."""

    flags: int
    used: int
    sequence: int
    checksum: int
    started: int
    read_out: int
    written: int
    pixels: bytes


class Rig:
    """A powered camera with `buffers` empty buffers of `size` bytes, by default the size of one frame."""

    def __init__(
        self, buffers: int = 4, *, camera: Camera | None = None, size: int = 0, seed: int = 0
    ) -> None:
        self.bench = Bench(seed)
        self.camera = Camera() if camera is None else camera
        self.bench.bus.plug(self.camera)
        self.memory = self.bench.bus.memory
        self.count = buffers
        self.ring = self.memory.allocate(buffers * regs.DESCRIPTOR_SIZE)
        self.tail = 0
        self.size = size
        self.buffers: list[int] = []
        self.write(regs.CONTROL, regs.CONTROL_POWER)
        self.bench.run(regs.POWER_UP_NS)

    def read(self, offset: int) -> int:
        return self.bench.read(self.camera, offset)

    def write(self, offset: int, value: int) -> None:
        self.bench.write(self.camera, offset, value)

    def start(self, **settings: int) -> None:
        """For each keyword argument, such as MODE=2, write the value to the register of this name. Then
        allocate the buffers, and start the stream.
        """
        for name, value in settings.items():
            self.write(getattr(regs, name), value)
        self.size = self.size or self.read(regs.FRAME_BYTES)
        self.buffers = [self.memory.allocate(self.size) for _ in range(self.count)]
        self.write(regs.RING_ADDRESS, self.ring)
        self.write(regs.RING_SIZE, self.count)
        self.restart()

    def restart(self) -> None:
        """Start the stream with all descriptors owned by the device."""
        for index in range(self.count):
            self.give(index)
        self.tail = 0
        self.write(regs.CONTROL, regs.CONTROL_POWER | regs.CONTROL_STREAM)

    def stop(self) -> None:
        self.write(regs.CONTROL, regs.CONTROL_POWER)

    def give(self, index: int) -> None:
        """Give descriptor `index` to the device."""
        regs.DESCRIPTOR.pack_into(
            self.descriptor(index),
            0,
            regs.DESCRIPTOR_DEVICE,
            self.buffers[index],
            self.size,
            0,
            0,
            0,
            0,
            0,
            0,
        )

    def refill(self) -> None:
        """Give the device all descriptors that `take(give=False)` did not give back."""
        for index in range(self.count):
            if regs.DESCRIPTOR.unpack(self.descriptor(index))[0] == 0:
                self.give(index)

    def descriptor(self, index: int) -> memoryview:
        return self.memory.view(self.ring + index * regs.DESCRIPTOR_SIZE, regs.DESCRIPTOR_SIZE)

    def take(self, *, give: bool = True) -> list[Taken]:
        """Read the descriptors that the device has finished, and return their contents in order. If `give` is
        True, give these descriptors and their buffers to the device again.
        """
        taken: list[Taken] = []
        for _ in range(self.count):
            flags, address, _, *rest = regs.DESCRIPTOR.unpack(self.descriptor(self.tail))
            if not flags or flags & regs.DESCRIPTOR_DEVICE:
                break
            used = rest[0]
            taken.append(Taken._make((flags, *rest, bytes(self.memory.view(address, used)))))
            if give:
                self.give(self.tail)
            else:
                regs.DESCRIPTOR.pack_into(self.descriptor(self.tail), 0, *[0] * 9)
            self.tail = (self.tail + 1) % self.count
        return taken


def check(pixels: bytes) -> tuple[int, int]:
    """Check the checksum of a frame's footer. Return its sequence number and the start of exposure."""
    magic, sequence, started, checksum = regs.FOOTER.unpack(pixels[-regs.FOOTER_SIZE :])
    assert magic == regs.FOOTER_MAGIC
    assert zlib.crc32(pixels[:-4]) == checksum
    return sequence, started
