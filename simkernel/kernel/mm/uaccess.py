"""Access of the kernel to the memory of programs: copy_from_user() and copy_to_user()."""

from __future__ import annotations

from typing import Protocol


class UserMemory(Protocol):
    """The interface through which the kernel reads and writes the memory of a process.

    Two classes implement `UserMemory`: the address space of a simulated process (address_space.py), and
    the memory of the host for a real program inside the simulation.
    """

    def read(self, address: int, size: int) -> bytes:
        """Return the `size` bytes at `address`. Raise EFAULT if not all of them are readable."""

    def write(self, address: int, data: bytes) -> None:
        """Write `data` to the memory at `address`.

        Raises EFAULT if not all of the memory is writable; the bytes before the fault are written.
        """

    def map_buffer(self, buffer: memoryview) -> int:
        """Return an address for a buffer that a program passes to a call. `unmap_buffer` releases it."""

    def unmap_buffer(self, address: int) -> None:
        """Release the address of a buffer after the call."""
