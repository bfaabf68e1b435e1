"""Memory mappings of programs, with the interface and errors of Python's mmap module.

    memory = await app.mmap(fd, 4096)
    memory[0:4] = b"ping"           # access to mapped memory makes no system call
    await memory.close()

The methods that make system calls are awaited: size, flush and close.  resize and madvise are not
available.
"""

from __future__ import annotations

import operator
from typing import Any, Final, Protocol, SupportsIndex, SupportsInt, overload

from simkernel.application.arguments import Buffer
from simkernel.application.caller import Caller
from simkernel.application.lazy import lazy
from simkernel.uapi.fcntl import F_DUPFD_CLOEXEC
from simkernel.uapi.mman import (
    MAP_ANONYMOUS,
    MAP_PRIVATE,
    MAP_SHARED,
    MS_SYNC,
    PROT_READ,
    PROT_WRITE,
)
from simkernel.uapi.stat import S_IFREG, Stat, kind

ACCESS_DEFAULT: Final = 0
ACCESS_READ: Final = 1
ACCESS_WRITE: Final = 2
ACCESS_COPY: Final = 3

_ACCESS: Final = {
    ACCESS_READ: (MAP_SHARED, PROT_READ),
    ACCESS_WRITE: (MAP_SHARED, PROT_READ | PROT_WRITE),
    ACCESS_COPY: (MAP_PRIVATE, PROT_READ | PROT_WRITE),
}
"""Maps each value of the argument `access` of `mmap.mmap`, such as ACCESS_READ, to the flags and the
protection that mmap(2) gets.
"""
READ_WRITE: Final = PROT_READ | PROT_WRITE


class MmapResult(SupportsInt, Protocol):
    """Result of mmap(2).  Its int value is the address, and `memory` holds the mapped bytes."""

    memory: memoryview


class Memory:
    """Mapped memory: a sequence of bytes with a file position, as `mmap.mmap` is."""

    _view: memoryview | None
    _position: int

    @property
    def closed(self) -> bool:
        """True after the memory was unmapped."""
        return self._view is None

    @property
    def memory(self) -> memoryview:
        """The mapped bytes, for functions that need a buffer. Raise ValueError if the memory is unmapped."""
        if self._view is None:
            raise ValueError("mmap closed or invalid")
        return self._view

    def __buffer__(self, flags: int, /) -> memoryview:
        return memoryview(self.memory)

    def __len__(self) -> int:
        return len(self.memory)

    @overload
    def __getitem__(self, key: SupportsIndex) -> int: ...
    @overload
    def __getitem__(self, key: slice) -> bytes: ...

    def __getitem__(self, key: SupportsIndex | slice) -> int | bytes:
        if isinstance(key, slice):
            return self.memory[key].tobytes()
        return self.memory[_index(key, len(self))]

    @overload
    def __setitem__(self, key: SupportsIndex, value: SupportsIndex) -> None: ...
    @overload
    def __setitem__(self, key: slice, value: Buffer) -> None: ...

    def __setitem__(self, key: SupportsIndex | slice, value: Any) -> None:
        memory = self._writable()
        if not isinstance(key, slice):
            memory[_index(key, len(self))] = _byte(value)
            return
        if len(memory[key]) != len(memoryview(value)):
            raise IndexError("mmap slice assignment is wrong size")
        memory[key] = bytes(value)

    # -- access at the position ---------------------------------------------------

    def tell(self) -> int:
        """Return the current position."""
        return self._checked()

    def seek(self, pos: int, whence: int = 0, /) -> None:
        """Set the position.  Raise ValueError if it is outside the memory."""
        base = {0: 0, 1: self._checked(), 2: len(self)}.get(whence)
        if base is None:
            raise ValueError("unknown seek type")
        if not 0 <= base + pos <= len(self):
            raise ValueError("seek out of range")
        self._position = base + pos

    def read(self, n: int | None = None, /) -> bytes:
        """Read up to `n` bytes at the position; without `n`, read until the end."""
        start = self._checked()
        end = len(self) if n is None or n < 0 else min(start + n, len(self))
        self._position = max(start, end)
        return self.memory[start:end].tobytes()

    def read_byte(self) -> int:
        """Read one byte at the position.  Raise ValueError at the end of the memory."""
        if self._checked() >= len(self):
            raise ValueError("read byte out of range")
        self._position += 1
        return self.memory[self._position - 1]

    def readline(self) -> bytes:
        """Read at the position until the end of the line or of the memory."""
        end = self.find(b"\n")
        return self.read(None if end < 0 else end + 1 - self._position)

    def write(self, data: Buffer, /) -> int:
        """Write at the position and return the number of bytes.  Raise ValueError if they do not fit."""
        memory = self._writable()
        size = len(memoryview(data))
        if self._position + size > len(memory):
            raise ValueError("data out of range")
        memory[self._position : self._position + size] = bytes(data)
        self._position += size
        return size

    def write_byte(self, byte: int, /) -> None:
        """Write one byte at the position.  Raise ValueError at the end of the memory."""
        memory = self._writable()
        if self._position >= len(memory):
            raise ValueError("write byte out of range")
        memory[self._position] = _byte(byte)
        self._position += 1

    # -- search and copy -----------------------------------------------------------

    def find(self, sub: Buffer, start: int | None = None, end: int | None = None, /) -> int:
        """Return the lowest index at which `sub` occurs in the memory, or -1 if it does not occur.

        The search starts at the position unless `start` is given.
        """
        first = self._checked() if start is None else start
        return self.memory.tobytes().find(bytes(sub), first, len(self) if end is None else end)

    def rfind(self, sub: Buffer, start: int | None = None, end: int | None = None, /) -> int:
        """Return the highest index at which `sub` occurs in the memory, or -1 if it does not occur.

        The search starts at the position unless `start` is given.
        """
        first = self._checked() if start is None else start
        return self.memory.tobytes().rfind(bytes(sub), first, len(self) if end is None else end)

    def move(self, dest: int, src: int, count: int, /) -> None:
        """Copy `count` bytes from `src` to `dest` within the memory.

        Raise ValueError if a range is outside it.
        """
        memory = self._writable()
        if min(dest, src, count) < 0 or max(dest, src) + count > len(memory):
            raise ValueError("source, destination, or count out of range")
        memory[dest : dest + count] = memory[src : src + count].tobytes()

    def _checked(self) -> int:
        self.memory  # noqa: B018 - the property raises ValueError if the memory is unmapped
        return self._position

    def _writable(self) -> memoryview:
        memory = self.memory
        if memory.readonly:
            raise TypeError("mmap can't modify a readonly memory map.")
        return memory


class Mapping(Memory):
    """A memory mapping of a program.  `address` is its address in the program's address space."""

    __slots__ = ("_app", "_fd", "_position", "_view", "address")

    def __init__(self, app: Caller, address: int, view: memoryview, fd: int) -> None:
        self._app = app
        self.address = address
        self._view = view
        self._fd = fd
        self._position = 0

    def __repr__(self) -> str:
        return "<mapping closed>" if self._view is None else f"<mapping of {len(self)} bytes>"

    @lazy
    async def size(self) -> int:
        """Return the size of the file in bytes.  It can differ from the size of the mapping."""
        self._checked()
        if self._fd < 0:
            return len(self)
        status: Stat = await self._app.call("fstat", self._fd)
        return status.st_size

    @lazy
    async def flush(self, offset: int = 0, size: int | None = None) -> None:
        """Flush changes to the file (msync(2) with MS_SYNC)."""
        length = len(self) - offset if size is None else size
        if not 0 <= offset <= len(self) or length < 0 or offset + length > len(self):
            raise ValueError("flush values out of range")
        await self._app.call("msync", self.address + offset, length, MS_SYNC)

    @lazy
    async def close(self) -> None:
        """Unmap the memory.  A second call has no effect."""
        view, self._view = self._view, None
        if view is None:
            return
        await self._app.call("munmap", self.address, len(view))
        fd, self._fd = self._fd, -1
        if fd >= 0:
            await self._app.call("close", fd)

    async def __aenter__(self) -> Mapping:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


async def map_memory(
    app: Caller, fileno: int, length: int, flags: int, prot: int, access: int, offset: int
) -> Mapping:
    """Map memory.  Like `new_mmap_object()` of Modules/mmapmodule.c, check the arguments, duplicate the
    descriptor and call mmap(2).

    Raise ValueError for invalid arguments, or if a regular file is shorter than the mapping.
    """
    if length < 0:
        raise OverflowError("memory mapped length must be positive")
    if offset < 0:
        raise OverflowError("memory mapped offset must be positive")
    if access and (flags != MAP_SHARED or prot != READ_WRITE):
        raise ValueError("mmap can't specify both access and flags, prot.")
    if access:
        if access not in _ACCESS:
            raise ValueError("mmap invalid access parameter.")
        flags, prot = _ACCESS[access]
    if fileno == -1:
        flags |= MAP_ANONYMOUS
        mapped: MmapResult = await app.call("mmap", 0, length, prot, flags, -1, offset)
        return Mapping(app, int(mapped), mapped.memory, -1)
    status: Stat = await app.call("fstat", fileno)
    if kind(status.st_mode) == S_IFREG:
        length = _length_in_file(length, offset, status.st_size)
    fd: int = await app.call("fcntl", fileno, F_DUPFD_CLOEXEC, 0)
    try:
        mapped = await app.call("mmap", 0, length, prot, flags, fd, offset)
    except Exception:
        await app.call("close", fd)
        raise
    return Mapping(app, int(mapped), mapped.memory, fd)


def _length_in_file(length: int, offset: int, size: int) -> int:
    if length == 0:
        if size == 0:
            raise ValueError("cannot mmap an empty file")
        if offset >= size:
            raise ValueError("mmap offset is greater than file size")
        return size - offset
    if offset > size or size - offset < length:
        raise ValueError("mmap length is greater than file size")
    return length


def _index(key: SupportsIndex, length: int) -> int:
    index = operator.index(key)
    index += length if index < 0 else 0
    if not 0 <= index < length:
        raise IndexError("mmap index out of range")
    return index


def _byte(value: SupportsIndex) -> int:
    number = operator.index(value)
    if not 0 <= number <= 0xFF:
        raise ValueError("mmap item value must be in range(0, 256)")
    return number
