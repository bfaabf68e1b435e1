"""The address space of a hosted program, which is the memory of this Python process."""

from __future__ import annotations

import ctypes
import os

from simkernel.kernel.mm.address_space import MMAP_MIN_ADDR, AddressSpace
from simkernel.kernel.mm.vma import VmArea
from simkernel.uapi.errno import EFAULT, os_error

SELF = "/proc/self/mem"
"""The host's file through which this Python process reads and writes its own memory by address.

With a wrong address, an access to this file fails, while ctypes would crash Python.
"""


class HostMemory(AddressSpace):
    """An address space in which pointers are addresses of the host.  Close it after the program has ended."""

    __slots__ = ("_buffers", "_fd")

    def __init__(self, mappings: dict[VmArea, None]) -> None:
        super().__init__(mappings)
        self._fd = os.open(SELF, os.O_RDWR | os.O_CLOEXEC)
        self._buffers: dict[int, ctypes.Array[ctypes.c_char]] = {}

    def read(self, address: int, size: int) -> bytes:
        """Read `size` bytes.  Raise EFAULT if any of them cannot be read."""
        _check(address, size)
        try:
            data = os.pread(self._fd, size, address)
        except OSError:
            raise os_error(EFAULT) from None
        if len(data) != size:
            raise os_error(EFAULT)
        return data

    def write(self, address: int, data: bytes) -> None:
        """Write `data`.  If some bytes cannot be written, write the bytes before them and raise EFAULT."""
        _check(address, len(data))
        try:
            written = os.pwrite(self._fd, data, address)
        except OSError:
            raise os_error(EFAULT) from None
        if written != len(data):
            raise os_error(EFAULT)

    def map_buffer(self, buffer: memoryview) -> int:
        """Return the address of a buffer.  For a read-only buffer, return the address of a copy, because
        ctypes gives no address for it.
        """
        kind = ctypes.c_char * max(len(buffer), 1)
        held = (
            kind.from_buffer_copy(bytes(buffer) or b"\0") if _is_fixed(buffer) else kind.from_buffer(buffer)
        )
        address = ctypes.addressof(held)
        self._buffers[address] = held
        return address

    def unmap_buffer(self, address: int) -> None:
        """Drop the reference with which `map_buffer` keeps the buffer at `address` alive. Call this when the
        system call has returned.
        """
        self._buffers.pop(address, None)

    def close(self) -> None:
        """Close the descriptor of /proc/self/mem."""
        os.close(self._fd)


def _is_fixed(buffer: memoryview) -> bool:
    return buffer.readonly or not len(buffer)


def _check(address: int, size: int) -> None:
    if address < MMAP_MIN_ADDR or address + size > 1 << 63:
        raise os_error(EFAULT)
