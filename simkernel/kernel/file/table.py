"""A process's table of file descriptors (`struct files_struct`)."""

from __future__ import annotations

from heapq import heappop, heappush

from simkernel.kernel.file.file import OpenFile
from simkernel.uapi.errno import EBADF, EINVAL, EMFILE, os_error

RLIMIT_NOFILE = 1024
"""Descriptors a process may have open (the usual soft limit, getrlimit(2))."""


class FileTable:
    """Descriptor -> open file.  A new descriptor is the lowest that is free, as POSIX has it."""

    __slots__ = ("_files", "_free", "_next", "limit", "users")

    def __init__(self, limit: int = RLIMIT_NOFILE) -> None:
        self._files: dict[int, OpenFile] = {}
        self._free: list[int] = []
        self._next = 3  # 0, 1 and 2 are a program's standard streams, which nothing models
        self.limit = limit
        self.users = 1
        """How many tasks share the table (threads do)."""

    def __len__(self) -> int:
        return len(self._files)

    def get(self, fd: object) -> OpenFile:
        """The open file behind `fd`.  EBADF if there is none."""
        try:
            return self._files[fd]  # type: ignore[index]
        except (KeyError, TypeError):
            raise os_error(EBADF) from None

    def install(self, file: OpenFile) -> int:
        """Give `file` a descriptor.  EMFILE at the limit."""
        while self._free and self._free[0] in self._files:
            heappop(self._free)
        fd = self._free[0] if self._free else self._next
        if fd >= self.limit:
            raise os_error(EMFILE)
        if self._free:
            heappop(self._free)
        else:
            self._next = fd + 1
        self._files[fd] = file.get()
        return fd

    def install_at(self, fd: int, file: OpenFile) -> int:
        """Give `file` the descriptor `fd`, closing what had it (dup2).  EBADF beyond the limit."""
        if not 0 <= fd < self.limit:
            raise os_error(EBADF)
        old = self._files.get(fd)
        if old is file:
            return fd
        self._files[fd] = file.get()
        for skipped in range(self._next, fd):
            heappush(self._free, skipped)
        self._next = max(self._next, fd + 1)
        if old is not None:
            old.put()
        return fd

    def close(self, fd: int) -> None:
        """Take `fd` out of the table.  EBADF if it is not open."""
        file = self._files.pop(fd, None)
        if file is None:
            raise os_error(EBADF)
        heappush(self._free, fd)
        file.put()

    def close_all(self) -> None:
        """Close every descriptor, lowest first (`exit_files()`)."""
        for fd in sorted(self._files):
            self.close(fd)

    def set_limit(self, limit: int) -> None:
        """Set the limit (setrlimit(2)).  EINVAL if it is negative; open descriptors stay."""
        if limit < 0:
            raise os_error(EINVAL)
        self.limit = limit

    def copy(self) -> FileTable:
        """A table for a child: the same open files under the same descriptors (fork(2))."""
        child = FileTable(self.limit)
        child._files = {fd: file.get() for fd, file in self._files.items()}
        child._free = list(self._free)
        child._next = self._next
        return child

    def items(self) -> list[tuple[int, OpenFile]]:
        """Descriptors and their open files, lowest first."""
        return sorted(self._files.items())
