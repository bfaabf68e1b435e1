"""Calls with paths, with the names, arguments, results and errors of Python's os module.

A path is a str, bytes, or what os.fspath() takes; where os takes an open descriptor instead, so does this.
"""

from __future__ import annotations

from math import floor, modf
from typing import Final, SupportsIndex

from simkernel.application.arguments import Path, c_int, text
from simkernel.application.caller import Caller
from simkernel.application.lazy import lazy
from simkernel.application.mapping import READ_WRITE, Mapping, map_memory
from simkernel.engine import Call
from simkernel.uapi import dirent
from simkernel.uapi.errno import ENOTDIR, os_error
from simkernel.uapi.fcntl import (
    AT_FDCWD,
    AT_REMOVEDIR,
    AT_SYMLINK_FOLLOW,
    AT_SYMLINK_NOFOLLOW,
    O_CLOEXEC,
    O_DIRECTORY,
    O_RDONLY,
    RENAME_NOREPLACE,
)
from simkernel.uapi.mman import MAP_SHARED
from simkernel.uapi.seek import SEEK_SET
from simkernel.uapi.stat import S_IFDIR, S_IFIFO, S_IFREG, Stat, kind

GETDENTS: Final = 32768
"""Bytes that glibc's readdir(3) asks for at a time."""
READ: Final = 65536


class Paths(Caller):
    """A program's calls on paths."""

    __slots__ = ()

    # -- opening and looking --------------------------------------------------------

    def open(self, path: Path, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> Call[int]:
        """A descriptor for the file at `path`; programs that are spawned inherit it, but with O_CLOEXEC."""
        return self.call("openat", _at(dir_fd), text(path), c_int(flags), c_int(mode))

    def stat(
        self, path: Path | int, *, dir_fd: int | None = None, follow_symlinks: bool = True
    ) -> Call[Stat]:
        """What a file is, under the names of os.stat_result."""
        if isinstance(path, int):
            return self.fstat(path)
        return self.call("newfstatat", _at(dir_fd), text(path), _flags(follow_symlinks))

    def lstat(self, path: Path, *, dir_fd: int | None = None) -> Call[Stat]:
        """The same of a link itself."""
        return self.call("newfstatat", _at(dir_fd), text(path), AT_SYMLINK_NOFOLLOW)

    def fstat(self, fd: int) -> Call[Stat]:
        """The same of an open file."""
        return self.call("fstat", c_int(fd))

    @lazy
    async def access(
        self,
        path: Path,
        mode: int,
        *,
        dir_fd: int | None = None,
        effective_ids: bool = False,
        follow_symlinks: bool = True,
    ) -> bool:
        """Whether the file is there (0) and may be read (4), written (2), executed (1).

        `effective_ids` makes no difference: a process has no other ids.
        """
        try:
            await self.call("faccessat", _at(dir_fd), text(path), c_int(mode), _flags(follow_symlinks))
        except OSError:
            return False
        return True

    def readlink(self, path: Path, *, dir_fd: int | None = None) -> Call[str]:
        """Where a symbolic link leads."""
        return self.call("readlinkat", _at(dir_fd), text(path))

    @lazy
    async def listdir(self, path: Path | int = ".") -> list[str]:
        """The names in a directory, in its own order."""
        return [name for name, _, _ in await self.entries(path)]

    @lazy
    async def entries(self, path: Path | int = ".") -> list[tuple[str, int, int]]:
        """Return the name, inode number and kind of each entry of a directory, in its own order."""
        fd = path if isinstance(path, int) else await self.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        found: list[tuple[str, int, int]] = []
        try:
            if isinstance(path, int):
                if kind((await self.fstat(fd)).st_mode) != S_IFDIR:
                    raise os_error(ENOTDIR)  # as fdopendir() does
                await self.call("lseek", fd, 0, SEEK_SET)
            data: bytes
            while data := await self.call("getdents64", fd, GETDENTS):
                found += [entry for entry in dirent.entries(data) if entry[0] not in (".", "..")]
        except FileNotFoundError:  # one that was taken away is at its end (glibc's readdir())
            pass
        finally:
            if not isinstance(path, int):
                await self.call("close", fd)
        return found

    @lazy
    async def read_file(self, path: Path) -> bytes:
        """All that a file has: open, read until the end, close."""
        fd = await self.open(path, O_RDONLY | O_CLOEXEC)
        data = bytearray()
        piece: bytes
        try:
            while piece := await self.call("read", fd, READ):
                data += piece
        finally:
            await self.call("close", fd)
        return bytes(data)

    # -- making and taking away -------------------------------------------------------

    def mkdir(self, path: Path, mode: int = 0o777, *, dir_fd: int | None = None) -> Call[None]:
        """Make a directory."""
        return self.call("mkdirat", _at(dir_fd), text(path), c_int(mode))

    def mknod(
        self, path: Path, mode: int = 0o600, device: int = 0, *, dir_fd: int | None = None
    ) -> Call[None]:
        """Make a node: a regular file, unless the mode says another kind."""
        return self.call("mknodat", _at(dir_fd), text(path), mode if kind(mode) else mode | S_IFREG, device)

    def mkfifo(self, path: Path, mode: int = 0o666, *, dir_fd: int | None = None) -> Call[None]:
        """Make a named pipe."""
        return self.call("mknodat", _at(dir_fd), text(path), mode | S_IFIFO, 0)

    def symlink(
        self, src: Path, dst: Path, target_is_directory: bool = False, *, dir_fd: int | None = None
    ) -> Call[None]:
        """Make a symbolic link at `dst` that leads to `src`, of whatever kind that is."""
        return self.call("symlinkat", text(src), _at(dir_fd), text(dst))

    def link(
        self,
        src: Path,
        dst: Path,
        *,
        src_dir_fd: int | None = None,
        dst_dir_fd: int | None = None,
        follow_symlinks: bool = False,
    ) -> Call[None]:
        """Give the file at `src` another name, `dst`."""
        flags = AT_SYMLINK_FOLLOW if follow_symlinks else 0
        return self.call("linkat", _at(src_dir_fd), text(src), _at(dst_dir_fd), text(dst), flags)

    def unlink(self, path: Path, *, dir_fd: int | None = None) -> Call[None]:
        """Take a name away."""
        return self.call("unlinkat", _at(dir_fd), text(path), 0)

    def rmdir(self, path: Path, *, dir_fd: int | None = None) -> Call[None]:
        """Take an empty directory away."""
        return self.call("unlinkat", _at(dir_fd), text(path), AT_REMOVEDIR)

    def rename(
        self, src: Path, dst: Path, *, src_dir_fd: int | None = None, dst_dir_fd: int | None = None
    ) -> Call[None]:
        """Move a file, over what has that name already."""
        return self.call("renameat2", _at(src_dir_fd), text(src), _at(dst_dir_fd), text(dst), 0)

    def rename_noreplace(self, src: Path, dst: Path) -> Call[None]:
        """Move a file; FileExistsError if something has that name (RENAME_NOREPLACE)."""
        return self.call("renameat2", AT_FDCWD, text(src), AT_FDCWD, text(dst), RENAME_NOREPLACE)

    # -- changing -----------------------------------------------------------------------

    def chmod(self, path: Path | int, mode: int, *, dir_fd: int | None = None) -> Call[None]:
        """Set the mode."""
        if isinstance(path, int):
            return self.call("fchmod", path, c_int(mode))
        return self.call("fchmodat", _at(dir_fd), text(path), c_int(mode))

    def chown(
        self,
        path: Path | int,
        uid: int,
        gid: int,
        *,
        dir_fd: int | None = None,
        follow_symlinks: bool = True,
    ) -> Call[None]:
        """Set owner and group; -1 leaves one as it is."""
        if isinstance(path, int):
            return self.call("fchown", path, uid, gid)
        return self.call("fchownat", _at(dir_fd), text(path), uid, gid, _flags(follow_symlinks))

    def utime(
        self,
        path: Path | int,
        times: tuple[float, float] | None = None,
        *,
        ns: tuple[int, int] | None = None,
        dir_fd: int | None = None,
        follow_symlinks: bool = True,
    ) -> Call[None]:
        """Set the times of access and modification, in seconds or nanoseconds since 1970, or to now.

        ValueError for the times in two units.
        """
        if times is not None:
            if ns is not None:
                raise ValueError("utime: you may specify either 'times' or 'ns' but not both")
            if not isinstance(times, tuple) or len(times) != 2:
                raise TypeError("utime: 'times' must be either a tuple of two ints or None")
            ns = _nanoseconds(times[0]), _nanoseconds(times[1])
        name = f"/proc/self/fd/{c_int(path)}" if isinstance(path, int) else text(path)
        return self.call("utimensat", _at(dir_fd), name, ns, _flags(follow_symlinks))

    def truncate(self, path: Path | int, length: int) -> Call[None]:
        """Set the size."""
        if isinstance(path, int):
            return self.ftruncate(path, length)
        return self.call("truncate", text(path), length)

    def ftruncate(self, fd: int, length: int) -> Call[None]:
        """Set the size of an open file."""
        return self.call("ftruncate", c_int(fd), length)

    def fsync(self, fd: int) -> Call[None]:
        """Have what was written reach the medium."""
        return self.call("fsync", c_int(fd))

    @lazy
    async def mmap(
        self,
        fileno: int,
        length: int,
        flags: int = MAP_SHARED,
        prot: int = READ_WRITE,
        access: int = 0,
        *,
        offset: int = 0,
    ) -> Mapping:
        """Memory shared with a file or a device, or (-1) memory of one's own, as `mmap.mmap` makes it.

        0 bytes of a regular file are all of it.  Of an open file a duplicate is kept, as there.
        """
        return await map_memory(self, c_int(fileno), length, flags, prot, access, offset)

    def memfd_create(self, name: str, flags: SupportsIndex = 1) -> Call[int]:
        """A descriptor for a file in memory that has no path; MFD_CLOEXEC unless said otherwise."""
        return self.call("memfd_create", text(name), c_int(flags))

    # -- where the process is -------------------------------------------------------------

    def chdir(self, path: Path | int) -> Call[None]:
        """Go to a directory: relative paths begin there."""
        if isinstance(path, int):
            return self.call("fchdir", path)
        return self.call("chdir", text(path))

    def getcwd(self) -> Call[str]:
        """Where one is."""
        return self.call("getcwd")

    def chroot(self, path: Path) -> Call[None]:
        """Let `/` be a directory; wants CAP_SYS_CHROOT."""
        return self.call("chroot", text(path))

    def umask(self, mask: int) -> Call[int]:
        """Bits that new files do not get; returns the old ones."""
        return self.call("umask", c_int(mask))


def _at(dir_fd: int | None) -> int:
    return AT_FDCWD if dir_fd is None else c_int(dir_fd)


def _flags(follow_symlinks: bool) -> int:
    return 0 if follow_symlinks else AT_SYMLINK_NOFOLLOW


def _nanoseconds(seconds: float) -> int:
    """As Python has it: the fraction by itself, which is not exact, and rounded down."""
    fraction, whole = modf(seconds)
    return int(whole) * 1_000_000_000 + floor(fraction * 1e9)
