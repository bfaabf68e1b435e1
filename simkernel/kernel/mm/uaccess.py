"""Memory of programs, as the kernel reaches it: copy_from_user() and copy_to_user()."""

from __future__ import annotations

from typing import Protocol


class UserMemory(Protocol):
    """The memory of one process, by address.

    There are two: a simulated process's address space (address_space.py), and the host's own memory
    for a real program that runs inside the simulation.
    """

    def read(self, address: int, size: int) -> bytes:
        """`size` bytes.  EFAULT where not all of them may be read."""

    def write(self, address: int, data: bytes) -> None:
        """Change memory.  EFAULT where not all of it may be written; what lies before is written."""

    def map_buffer(self, buffer: memoryview) -> int:
        """An address for a buffer of a program's that it hands to a call; good until `unmap_buffer`."""

    def unmap_buffer(self, address: int) -> None:
        """The call is over."""
