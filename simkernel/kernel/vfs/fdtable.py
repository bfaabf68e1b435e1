"""A process's table of file descriptors (`struct files_struct`)."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Generic, Protocol, Self, TypeVar

from simkernel.uapi.errno import EBADF, EINVAL, EMFILE, os_error

RLIMIT_NOFILE = 1024
"""Descriptors a process may have open (the usual soft limit, getrlimit(2))."""

STREAMS = frozenset({0, 1, 2})
"""A program's standard streams, which nothing models, and which keep their descriptors."""


class CountedFile(Protocol):
    """An open file, as far as a table knows one."""

    def get(self) -> Self:
        """Take a reference."""

    def put(self) -> Awaitable[None] | None:
        """Drop a reference.  The last one releases the file, which may have to be awaited."""


F = TypeVar("F", bound=CountedFile)


class FileTable(Generic[F]):
    """Descriptor -> open file.  A new descriptor is the lowest that is free, as POSIX has it.

    `open` has a place for each descriptor up to the highest that was ever open; none below
    `_lowest` is free.  `_streams` are the standard streams that nothing was ever put in place of.
    `close_on_exec` has the descriptors that another program does not get (FD_CLOEXEC).
    """

    __slots__ = ("_lowest", "_streams", "_taken", "close_on_exec", "limit", "open", "users")

    def __init__(self, limit: int = RLIMIT_NOFILE) -> None:
        self.open: list[F | None] = [None] * len(STREAMS)
        self._lowest = len(STREAMS)
        self._streams = STREAMS
        self._taken = 0
        self.close_on_exec: frozenset[int] = frozenset()
        self.limit = limit
        self.users = 1
        """How many tasks share the table (threads do)."""

    def __repr__(self) -> str:
        return f"<FileTable with {len(self)} open files>"

    def __len__(self) -> int:
        return self._taken

    def get(self, fd: int) -> F:
        """The open file behind `fd`.  EBADF if there is none."""
        try:
            file = self.open[fd] if fd >= 0 else None
        except (IndexError, TypeError):
            file = None
        if file is None:
            raise os_error(EBADF)
        return file

    def install(self, file: F, lowest: int = 0, *, close_on_exec: bool = False) -> int:
        """Give `file` a descriptor, from `lowest` on.  EMFILE at the limit."""
        fd = self._free(max(self._lowest, lowest))
        if lowest <= self._lowest:
            self._lowest = fd
        self._put(fd, file)
        if close_on_exec:
            self.close_on_exec |= {fd}
        return fd

    def install_new(self, file: F, *, close_on_exec: bool = False) -> int:
        """Give a descriptor to a file that has no other holder; at the limit release it (EMFILE)."""
        try:
            return self.install(file, close_on_exec=close_on_exec)
        except OSError:
            file.get().put()
            raise

    def check_limit(self) -> None:
        """EMFILE if there is no descriptor for another file (`get_unused_fd_flags()`)."""
        self._free(self._lowest)

    def _free(self, fd: int) -> int:
        """The lowest free descriptor from `fd` on.  EMFILE if that is beyond the limit."""
        files = self.open
        while fd < len(files) and (files[fd] is not None or fd in self._streams):
            fd += 1
        if fd >= self.limit:
            raise os_error(EMFILE)
        return fd

    def install_at(self, fd: int, file: F, *, close_on_exec: bool = False) -> int:
        """Give `file` the descriptor `fd`, closing what had it (dup2).  EBADF beyond the limit."""
        if not 0 <= fd < self.limit:
            raise os_error(EBADF)
        old = self.open[fd] if fd < len(self.open) else None
        if old is not file:
            self._put(fd, file)
            if old is not None:
                self._taken -= 1
                old.put()
        self.set_close_on_exec(fd, close_on_exec)
        return fd

    def set_close_on_exec(self, fd: int, on: bool) -> None:
        """FD_CLOEXEC of an open descriptor."""
        self.close_on_exec = self.close_on_exec | {fd} if on else self.close_on_exec - {fd}

    def exec(self) -> None:
        """Another program begins: close what it shall not have (`do_close_on_exec()`)."""
        for fd in sorted(self.close_on_exec):
            self.close(fd)

    def _put(self, fd: int, file: F) -> None:
        missing = fd + 1 - len(self.open)
        if missing > 0:
            self.open += [None] * missing
        self.open[fd] = file.get()
        self._taken += 1
        if fd in self._streams:
            self._streams -= {fd}

    def close(self, fd: int) -> Awaitable[None] | None:
        """Take `fd` out of the table; what its release returns.  EBADF if it is not open."""
        file = self.get(fd)
        self.open[fd] = None
        self._taken -= 1
        self._lowest = min(self._lowest, fd)
        if fd in self.close_on_exec:
            self.close_on_exec -= {fd}
        return file.put()

    def close_all(self) -> None:
        """Close every descriptor, lowest first (`exitopen()`)."""
        for fd, _ in self.items():
            self.close(fd)

    def set_limit(self, limit: int) -> None:
        """Set the limit (setrlimit(2)).  EINVAL if it is negative; open descriptors stay."""
        if limit < 0:
            raise os_error(EINVAL)
        self.limit = limit

    def copy(self) -> FileTable[F]:
        """A table for a child: the same open files under the same descriptors (fork(2))."""
        child: FileTable[F] = FileTable(self.limit)
        child.open = [file and file.get() for file in self.open]
        child._lowest = self._lowest
        child._streams = self._streams
        child._taken = self._taken
        child.close_on_exec = self.close_on_exec
        return child

    def items(self) -> list[tuple[int, F]]:
        """Descriptors and their open files, lowest first."""
        return [(fd, file) for fd, file in enumerate(self.open) if file is not None]
