"""read(2), write(2) and related calls (fs/read_write.c).  A call blocks unless the file is non-blocking."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Sequence
from functools import partial
from typing import Any, Final, TypeVar

from simkernel.kernel.mm.shmem import MAX_LFS_FILESIZE
from simkernel.kernel.parts import KernelParts
from simkernel.kernel.sched.wait import Blocked, WouldBlock
from simkernel.kernel.syscall.sending import broken_pipe, done_or_eagain, wait_and_resume
from simkernel.kernel.vfs.broken_pipe import BrokenPipe
from simkernel.kernel.vfs.file import FMODE_READ, FMODE_WRITE, FileObject, OpenFile
from simkernel.kernel.vfs.task import Task
from simkernel.uapi.errno import EAGAIN, EBADF, EINVAL, ESPIPE, os_error
from simkernel.uapi.fcntl import O_NONBLOCK
from simkernel.uapi.seek import SEEK_HOLE

MAX_RW_COUNT: Final = 0x7FFFF000
"""Maximum number of bytes that one call transfers."""

R = TypeVar("R")
Read = bytes | Blocked | Coroutine[Any, Any, bytes]
Written = int | Coroutine[Any, Any, int]


class ReadWriteCalls:
    """Handlers of system calls that transfer bytes from and to open files."""

    def __init__(self, kernel: KernelParts) -> None:
        self._kernel = kernel
        self._engine = kernel.engine
        self._costs = kernel.costs

    # -- reading ------------------------------------------------------------------

    def read(self, task: Task, fd: int, size: int) -> Read:
        """Read up to `size` bytes from the file position on (read(2))."""
        file: OpenFile = task.files.get(fd)
        return self._read(task, file, size, file.position, moves=True)

    def readv(self, task: Task, fd: int, sizes: Sequence[int]) -> Read:
        """Read up to the total size of several buffers and return the joined bytes (readv(2)).

        If the sizes are 0, the file's read is not called (`vfs_readv()`).
        """
        file: OpenFile = task.files.get(fd)
        if not sum(sizes) and file.readable and type(file.object).read is not FileObject.read:
            return b""
        return self.read(task, fd, sum(sizes))

    def pread64(self, task: Task, fd: int, size: int, offset: int) -> Read:
        """Read up to `size` bytes from `offset` on, without moving the file position (pread(2)).

        Raises ESPIPE if the file has no position.
        """
        if offset < 0:
            raise os_error(EINVAL)
        file: OpenFile = task.files.get(fd)
        _check_position(file)
        return self._read(task, file, size, offset, moves=False)

    def _read(self, task: Task, file: OpenFile, size: int, position: int, *, moves: bool) -> Read:
        self._engine.charged += self._costs.file
        if not file.flags + 1 & FMODE_READ:
            raise os_error(EBADF)
        if size < 0 or position + size > MAX_LFS_FILESIZE:  # rw_verify_area()
            raise os_error(EINVAL)
        size = min(size, MAX_RW_COUNT)
        result = file.object.read(task, file, size, position)
        if isinstance(result, bytes):
            if moves:
                file.position += len(result)
            return result
        if result is not None:
            return _later(file, result, moves, len)
        if file.flags & O_NONBLOCK:
            raise os_error(EAGAIN)
        retry = partial(_read_again, task, file, size, position, moves)
        timeout = None if file.socket is None else file.socket.rcvtimeo
        deadline = None if timeout is None else self._engine.time() + timeout
        return Blocked(file.object.readers, retry, file, deadline, file.object.exclusive_read)

    # -- writing ------------------------------------------------------------------

    def write(self, task: Task, fd: int, data: bytes) -> Written:
        """Write from the file position on, and return the number of bytes written (write(2))."""
        file: OpenFile = task.files.get(fd)
        return self._write(task, file, data, file.position, moves=True)

    def writev(self, task: Task, fd: int, data: bytes) -> Written:
        """Write `data`, the joined contents of several buffers (writev(2))."""
        file: OpenFile = task.files.get(fd)
        if not data and file.writable and type(file.object).write is not FileObject.write:
            return 0
        return self.write(task, fd, data)

    def pwrite64(self, task: Task, fd: int, data: bytes, offset: int) -> Written:
        """Write from `offset` on, without moving the file position (pwrite(2)).

        Return the number of bytes written.

        Raises ESPIPE if the file has no position.
        """
        if offset < 0:
            raise os_error(EINVAL)
        file: OpenFile = task.files.get(fd)
        _check_position(file)
        position = file.position
        try:
            return self._write(task, file, data, offset, moves=False)
        finally:
            # a write with O_APPEND moves the position, but pwrite(2) must leave it unchanged
            file.position = position

    def _write(self, task: Task, file: OpenFile, data: bytes, position: int, *, moves: bool) -> Written:
        self._engine.charged += self._costs.file
        if not file.flags + 1 & FMODE_WRITE:
            raise os_error(EBADF)
        if position + len(data) > MAX_LFS_FILESIZE:
            raise os_error(EINVAL)
        try:
            result = file.object.write(task, file, data[:MAX_RW_COUNT], position)
        except WouldBlock as blocked:
            if file.flags & O_NONBLOCK:
                return done_or_eagain(blocked)
            return wait_and_resume(self._kernel, task, file, blocked)
        except BrokenPipe as broken:
            return broken_pipe(self._kernel, task, broken)
        if not isinstance(result, int):
            return _later(file, result, moves, int)
        if moves:
            file.position += result
        return result

    # -- position -----------------------------------------------------------------

    def lseek(self, task: Task, fd: int, offset: int, whence: int) -> int:
        """Set the file position and return it (lseek(2)). Raise ESPIPE if the file has no position."""
        file: OpenFile = task.files.get(fd)
        self._engine.charged += self._costs.file
        if not 0 <= whence <= SEEK_HOLE:
            raise os_error(EINVAL)
        return file.object.llseek(task, file, offset, whence)


def _check_position(file: OpenFile) -> None:
    """Raise ESPIPE if the file has no position (no FMODE_PREAD)."""
    if not file.object.has_positions:
        raise os_error(ESPIPE)


def _read_again(task: Task, file: OpenFile, size: int, position: int, moves: bool) -> Any:
    result = file.object.read_again(task, file, size, position)
    if isinstance(result, bytes):
        if moves:
            file.position += len(result)
        return result
    return result if result is None else _later(file, result, moves, len)


async def _later(file: OpenFile, pending: Awaitable[R], moves: bool, length: Callable[[R], int]) -> R:
    result = await pending
    if moves:
        file.position += length(result)
    return result
