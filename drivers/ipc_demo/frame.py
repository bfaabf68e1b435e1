"""/dev/ipc_demo/frame: a frame in the driver's memory, which programs read or map.

Every byte of a frame is the low byte of its number.
"""

from __future__ import annotations

from functools import cached_property
from typing import Final

from simkernel.driverapi.fs import File, FileOperations
from simkernel.driverapi.mm import VmArea, remap_vmalloc_range, vmalloc_user
from simkernel.uapi.errno import EINVAL, ENOTTY, os_error
from simkernel.uapi.ipc_demo import IPC_DEMO_TAKE, MAX_FRAME


class Frames:
    """The current frame: its number, its size in bytes and its memory."""

    def __init__(self) -> None:
        self.sequence = 0
        self.size = 0

    @cached_property
    def memory(self) -> memoryview:
        """Memory that is large enough for the largest frame. It is allocated on first use."""
        return vmalloc_user(MAX_FRAME)

    def take(self, size: int) -> int:
        """Produce the next frame and return its number.  Raise EINVAL if the size is out of range.

        This takes no CPU time, because it models a camera that writes the frame by DMA.
        """
        if not 0 < size <= MAX_FRAME:
            raise os_error(EINVAL)
        self.sequence += 1
        self.size = size
        self.memory[:size] = bytes((self.sequence & 0xFF,)) * size
        return self.sequence

    def part(self, offset: int, size: int) -> bytes:
        """Return up to `size` bytes of the frame from `offset` on."""
        return bytes(self.memory[offset : min(offset + size, self.size)])


def read(file: File, size: int, position: int) -> bytes:
    """Return up to `size` bytes of the frame, from the file position on."""
    frames: Frames = file.cdev.data
    return frames.part(position, size)


def ioctl(file: File, request: int, argument: int) -> int:
    """Execute IPC_DEMO_TAKE: produce a frame of `argument` bytes.  Raise ENOTTY for other requests."""
    if request != IPC_DEMO_TAKE:
        raise os_error(ENOTTY)
    frames: Frames = file.cdev.data
    file.position = 0
    return frames.take(argument)


def mmap(file: File, area: VmArea) -> None:
    """Map the memory of the frame."""
    remap_vmalloc_range(area, file.cdev.data.memory, area.offset)


OPERATIONS: Final = FileOperations(read=read, ioctl=ioctl, mmap=mmap)
