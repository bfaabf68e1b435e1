"""/dev/ipc_demo/frame: a frame in the driver's memory, to read or map.  Every byte is the frame's number."""

from __future__ import annotations

from functools import cached_property
from typing import Final

from simkernel.driverapi.fs import File, FileOperations
from simkernel.driverapi.mm import VmArea, remap_vmalloc_range, vmalloc_user
from simkernel.uapi.errno import EINVAL, ENOTTY, os_error
from simkernel.uapi.ipc_demo import IPC_DEMO_TAKE, MAX_FRAME


class Frames:
    """The current frame."""

    def __init__(self) -> None:
        self.sequence = 0
        self.size = 0

    @cached_property
    def memory(self) -> memoryview:
        """Memory for the largest frame, allocated on first use."""
        return vmalloc_user(MAX_FRAME)

    def take(self, size: int) -> int:
        """Take the next frame and return its number.  EINVAL for an impossible size.

        A camera writes it by DMA, so that it costs no processor time.
        """
        if not 0 < size <= MAX_FRAME:
            raise os_error(EINVAL)
        self.sequence += 1
        self.size = size
        self.memory[:size] = bytes((self.sequence & 0xFF,)) * size
        return self.sequence

    def part(self, offset: int, size: int) -> bytes:
        """Up to `size` bytes from `offset` on."""
        return bytes(self.memory[offset : min(offset + size, self.size)])


def read(file: File, size: int, position: int) -> bytes:
    """The frame from the file's position on."""
    frames: Frames = file.cdev.data
    return frames.part(position, size)


def ioctl(file: File, request: int, argument: int) -> int:
    """IPC_DEMO_TAKE."""
    if request != IPC_DEMO_TAKE:
        raise os_error(ENOTTY)
    frames: Frames = file.cdev.data
    file.position = 0
    return frames.take(argument)


def mmap(file: File, area: VmArea) -> None:
    """Map the frame's memory."""
    remap_vmalloc_range(area, file.cdev.data.memory, area.offset)


OPERATIONS: Final = FileOperations(read=read, ioctl=ioctl, mmap=mmap)
