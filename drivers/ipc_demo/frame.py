"""Frames: bytes in memory of the driver's, to be read or mapped.  Every byte is the frame's number."""

from __future__ import annotations

from typing import Final

from simkernel.driverapi.fs import File, FileOperations
from simkernel.driverapi.mm import VmArea, remap_vmalloc_range, vmalloc_user
from simkernel.driverapi.module import ThisModule
from simkernel.uapi.errno import EINVAL, ENOTTY, ESPIPE, os_error
from simkernel.uapi.ipc_demo import IPC_DEMO_TAKE, LARGEST_FRAME

SEEK_SET: Final = 0


class Frames:
    """The frame that is there.  The memory is made when the first is asked for."""

    def __init__(self, this: ThisModule) -> None:
        self.this = this
        self.sequence = 0
        self.size = 0
        self._memory: memoryview | None = None

    @property
    def memory(self) -> memoryview:
        """Room for the largest."""
        if self._memory is None:
            self._memory = vmalloc_user(LARGEST_FRAME)
        return self._memory

    def take(self, size: int) -> int:
        """Let the next frame be there; its number.  EINVAL for a size that there is not.

        A camera would write it by DMA, which costs a processor nothing.
        """
        if not 0 < size <= LARGEST_FRAME:
            raise os_error(EINVAL)
        self.sequence += 1
        self.size = size
        self.memory[:size] = bytes((self.sequence & 0xFF,)) * size
        return self.sequence

    def part(self, offset: int, size: int) -> bytes:
        """Up to `size` bytes of it from `offset` on."""
        return bytes(self.memory[offset : min(offset + size, self.size)])


def read(file: File, size: int, position: int) -> bytes:
    """What lies at the position."""
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
    """The frame's memory."""
    remap_vmalloc_range(area, file.cdev.data.memory, area.offset)


def llseek(file: File, offset: int, whence: int) -> int:
    """To a place in the frame, from its beginning.  EINVAL, ESPIPE."""
    if whence != SEEK_SET:
        raise os_error(ESPIPE)
    if offset < 0:
        raise os_error(EINVAL)
    file.position = offset
    return offset


OPERATIONS: Final = FileOperations(read=read, ioctl=ioctl, mmap=mmap, llseek=llseek)
