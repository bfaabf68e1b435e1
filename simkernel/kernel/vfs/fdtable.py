"""A process's table of file descriptors (`struct files_struct`)."""

from __future__ import annotations

from collections.abc import Awaitable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final, Generic, Protocol, Self, TypeVar

from simkernel.kernel.sched.rlimit import DEFAULTS
from simkernel.uapi.errno import EBADF, EMFILE, os_error
from simkernel.uapi.resource import RLIMIT_NOFILE

STREAMS = 3
"""Number of standard streams. Their descriptors 0, 1 and 2 are in use from the start, although stdin, stdout
and stderr are no open files of the simulation.
"""
NR_OPEN_DEFAULT: Final = 64
NO_PATHS: Final[Mapping[int, Any]] = MappingProxyType({})


class CountedFile(Protocol):
    """The attributes and methods of an open file that a descriptor table uses. `path_only` is true if the
    file was opened with O_PATH (FMODE_PATH).
    """

    @property
    def path_only(self) -> bool: ...

    def get(self) -> Self:
        """Take a reference to the file."""

    def put(self) -> Awaitable[None] | None:
        """Drop a reference to the file. If it is the last one, release the file and return the release's
        result: None or an awaitable.
        """

    def enlist(self, open_files: Any) -> None:
        """Add the file to the machine's table of open files until it is released."""


F = TypeVar("F", bound=CountedFile)


class FileTable(Generic[F]):
    """A table of open files by descriptor.  A new descriptor is the lowest free one (POSIX).

    `open` has an item for each descriptor up to the highest one ever used.  Two ints are bitmaps. `_used`
    has the descriptors that are not free (`open_fds`). Those of the standard streams are in use even
    without a file.  `_close_on_exec` has the descriptors that exec closes.

    Files that are open with O_PATH are in `paths` and not in `open`, because few calls accept them.
    `paths` is stored in the machine, so that a table without such files stays small. `limit` is the soft
    RLIMIT_NOFILE. `machine` has the open files of all processes.
    """

    __slots__ = ("_close_on_exec", "_used", "limit", "machine", "open", "users")

    def __init__(self, open_files: Any, limit: int = DEFAULTS[RLIMIT_NOFILE][0]) -> None:
        self.machine = open_files
        self.open: list[F | None] = [None] * STREAMS
        self._used = (1 << STREAMS) - 1
        self._close_on_exec = 0
        self.limit = limit
        self.users = 1
        """Number of tasks that share the table: the threads of a process."""

    def __repr__(self) -> str:
        return f"<FileTable with {len(self)} open files>"

    def __len__(self) -> int:
        return len(self.items())

    @property
    def paths(self) -> Mapping[int, F]:
        """The files that are open with O_PATH, by descriptor."""
        found: Mapping[int, F] = self.machine.path_only.get(self, NO_PATHS)
        return found

    def _drop_path(self, fd: int) -> F | None:
        """If the descriptor `fd` is open with O_PATH, remove its file from the table and return this file.
        Otherwise, return None.
        """
        if fd not in self.paths:
            return None
        paths: dict[int, F] = self.machine.path_only[self]
        file = paths.pop(fd)
        if not paths:
            del self.machine.path_only[self]
        return file

    @property
    def size(self) -> int:
        """Number of descriptors that the table has space for (`max_fds`): 64, or a larger power of two."""
        return max(NR_OPEN_DEFAULT, 1 << (len(self.open) - 1).bit_length())

    def get(self, fd: int) -> F:
        """Return the open file of the descriptor `fd`. Raise EBADF if `fd` is not open, or is open with
        O_PATH (`fdget()`).
        """
        try:
            file = self.open[fd] if fd >= 0 else None
        except (IndexError, TypeError):
            file = None
        if file is None:
            raise os_error(EBADF)
        return file

    def get_raw(self, fd: int) -> F:
        """Return the open file of `fd`, even if it is open with O_PATH (`fdget_raw()`). Raise EBADF if `fd`
        is not open.
        """
        file = self.paths.get(fd) if self.machine.path_only else None
        return self.get(fd) if file is None else file

    def install(self, file: F, lowest: int = 0, *, close_on_exec: bool = False) -> int:
        """Give `file` the lowest free descriptor that is at least `lowest`. Raise EMFILE if this descriptor
        is not below the limit (RLIMIT_NOFILE).
        """
        fd = self._free(lowest)
        self._put(fd, file)
        if close_on_exec:
            self._close_on_exec |= 1 << fd
        return fd

    def install_new(self, file: F, *, close_on_exec: bool = False) -> int:
        """Give a new file a descriptor. If no descriptor is free, release the file and raise EMFILE."""
        try:
            return self.install(file, close_on_exec=close_on_exec)
        except OSError:
            file.get().put()
            raise

    def check_limit(self) -> None:
        """Raise EMFILE if no descriptor is free (`get_unused_fd_flags()`)."""
        self._free(0)

    def _free(self, lowest: int) -> int:
        """Return the lowest free descriptor that is at least `lowest`.

        Raises EMFILE if this descriptor is not below the limit.
        """
        free = ~(self._used >> lowest)
        fd = lowest + (free & -free).bit_length() - 1
        if fd >= self.limit:
            raise os_error(EMFILE)
        return fd

    def install_at(self, fd: int, file: F, *, close_on_exec: bool = False) -> int:
        """Give `file` the descriptor `fd`, and close the file that had this descriptor (dup2(2)).

        Raises EBADF if `fd` is not below the limit.
        """
        if not 0 <= fd < self.limit:
            raise os_error(EBADF)
        old = self._drop_path(fd) or (self.open[fd] if fd < len(self.open) else None)
        if old is not file or file.path_only:
            self._put(fd, file)
            if old is not None:
                old.put()
        self.set_close_on_exec(fd, close_on_exec)
        return fd

    def set_close_on_exec(self, fd: int, on: bool) -> None:
        """Set or clear FD_CLOEXEC of an open descriptor."""
        self._close_on_exec = self._close_on_exec & ~(1 << fd) | on << fd

    def closes_on_exec(self, fd: int) -> bool:
        """Return True if exec closes the descriptor."""
        return bool(self._close_on_exec >> fd & 1)

    def exec(self) -> None:
        """Close the descriptors with FD_CLOEXEC, because the process executes a new program
        (`do_close_on_exec()`).
        """
        if self._close_on_exec:
            self.close_many([fd for fd, _ in self.items() if self.closes_on_exec(fd)])

    def _put(self, fd: int, file: F) -> None:
        missing = fd + 1 - len(self.open)
        if missing > 0:
            self.open += [None] * missing
        self.open[fd] = file.get()
        if file.path_only:
            self.open[fd] = None
            self.machine.path_only.setdefault(self, {})[fd] = file
        self._used |= 1 << fd
        file.enlist(self.machine)

    def close(self, fd: int) -> Awaitable[None] | None:
        """Close `fd` and return the result of the file's release.  Raise EBADF if it is not open."""
        file = self.get_raw(fd)
        self.open[fd] = None
        self._drop_path(fd)
        self._used &= ~(1 << fd)
        self._close_on_exec &= self._used
        return file.put()

    def close_many(self, fds: Iterable[int]) -> None:
        """Close all of `fds`, then release their files (`task_work_run()`).

        The files are released in reverse: the one that was closed last is released first.
        """
        files: dict[F, None] = {}
        for fd in fds:
            file = self.get_raw(fd)
            if file in files:
                del files[file]
            else:
                file.get()
            files[file] = None
            self.close(fd)
        for file in reversed(files):
            file.put()

    def close_all(self) -> None:
        """Close every descriptor (`close_files()`)."""
        self.close_many([fd for fd, _ in self.items()])

    def copy(self) -> FileTable[F]:
        """Return a table for a child process, with the same open files and descriptors (fork(2))."""
        child: FileTable[F] = FileTable(self.machine, self.limit)
        child.open = [file and file.get() for file in self.open[: self._used.bit_length()]]
        if self.paths:
            self.machine.path_only[child] = {fd: file.get() for fd, file in self.paths.items()}
        child._used = self._used
        child._close_on_exec = self._close_on_exec
        return child

    def items(self) -> list[tuple[int, F]]:
        """Return the descriptors and their open files, lowest descriptor first."""
        found = [(fd, file) for fd, file in enumerate(self.open) if file is not None]
        return sorted([*found, *self.paths.items()]) if self.paths else found
