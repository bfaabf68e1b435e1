"""Directory entries as getdents64() returns them.  Source: include/linux/dirent.h, fs/readdir.c.

struct linux_dirent64: inode number, position of the next entry, length, type, name, NUL, padded to 8
bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

from simkernel.uapi.structure import Buffer

_HEAD: Final = struct.Struct("<QqHB")
_ALIGNMENT: Final = 8


class DirentBuffer:
    """A buffer of at most `size` bytes, to which getdents64() adds directory entries."""

    def __init__(self, size: int) -> None:
        self._size = size
        self.data = bytearray()

    def add(self, number: int, following: int, kind: int, name: str) -> bool:
        """Add an entry; `kind` is the file type (S_IF bits).  Return False if the buffer has no space for the
        entry.
        """
        encoded = name.encode("utf-8", "surrogateescape") + b"\0"
        length = -(-(_HEAD.size + len(encoded)) // _ALIGNMENT) * _ALIGNMENT
        if len(self.data) + length > self._size:
            return False
        self.data += _HEAD.pack(number, following, length, kind >> 12)
        self.data += encoded.ljust(length - _HEAD.size, b"\0")
        return True


def entries(data: Buffer) -> Iterator[tuple[str, int, int]]:
    """Return name, inode number and file type (S_IF bits) of each directory entry in a buffer."""
    offset = 0
    while offset < len(data):
        number, _, length, kind = _HEAD.unpack_from(data, offset)
        name = bytes(data[offset + _HEAD.size : offset + length]).split(b"\0", 1)[0]
        yield name.decode("utf-8", "surrogateescape"), number, kind << 12
        offset += length
