"""System calls on paths, with the names, arguments, results and errors of Python's os module.

A path is a str, bytes or an os.PathLike object.  Calls that accept a file descriptor instead of a path in
the os module accept one here too.
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
"""Buffer size of getdents64(2) in bytes, as glibc's readdir(3) uses it."""
READ: Final = 65536


class Paths(Caller):
    """The system calls on paths that a program can make."""

    __slots__ = ()

    # -- opening and reading ----------------------------------------------------------

    def open(self, path: Path, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> Call[int]:
        """Open the file at `path` and return its descriptor.

        Spawned programs inherit it unless `flags` has O_CLOEXEC.
        """
        return self.call("openat", _at(dir_fd), text(path), c_int(flags), c_int(mode))

    def stat(
        self, path: Path | int, *, dir_fd: int | None = None, follow_symlinks: bool = True
    ) -> Call[Stat]:
        """Return the status of a file, with the field names of os.stat_result."""
        if isinstance(path, int):
            return self.fstat(path)
        return self.call("newfstatat", _at(dir_fd), text(path), _flags(follow_symlinks))

    def lstat(self, path: Path, *, dir_fd: int | None = None) -> Call[Stat]:
        """Return the status of a file, or of the link itself if `path` is a symbolic link (lstat(2))."""
        return self.call("newfstatat", _at(dir_fd), text(path), AT_SYMLINK_NOFOLLOW)

    def fstat(self, fd: int) -> Call[Stat]:
        """Return the status of an open file (fstat(2))."""
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
        """Return True if the file exists and permits `mode`: read (4), write (2), execute (1), or 0 for
        existence.

        `effective_ids` has no effect, because a process has only one user id and one group id here.
        """
        try:
            await self.call("faccessat", _at(dir_fd), text(path), c_int(mode), _flags(follow_symlinks))
        except OSError:
            return False
        return True

    def readlink(self, path: Path, *, dir_fd: int | None = None) -> Call[str]:
        """Return the target of a symbolic link."""
        return self.call("readlinkat", _at(dir_fd), text(path))

    @lazy
    async def listdir(self, path: Path | int = ".") -> list[str]:
        """Return the names in a directory, in the order in which the kernel lists them."""
        return [name for name, _, _ in await self.entries(path)]

    @lazy
    async def entries(self, path: Path | int = ".") -> list[tuple[str, int, int]]:
        """Return the name, inode number and file type of each entry of a directory, in the order in which the
        kernel lists the entries.
        """
        fd = path if isinstance(path, int) else await self.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        found: list[tuple[str, int, int]] = []
        try:
            if isinstance(path, int):
                if kind((await self.fstat(fd)).st_mode) != S_IFDIR:
                    raise os_error(ENOTDIR)  # glibc's fdopendir() rejects a file that is no directory
                await self.call("lseek", fd, 0, SEEK_SET)
            data: bytes
            while data := await self.call("getdents64", fd, GETDENTS):
                found += [entry for entry in dirent.entries(data) if entry[0] not in (".", "..")]
        except FileNotFoundError:  # directory removed: glibc's readdir() reports its end, not ENOENT
            pass
        finally:
            if not isinstance(path, int):
                await self.call("close", fd)
        return found

    @lazy
    async def read_file(self, path: Path) -> bytes:
        """Return the content of a file: open it, read until the end and close it."""
        fd = await self.open(path, O_RDONLY | O_CLOEXEC)
        data = bytearray()
        piece: bytes
        try:
            while piece := await self.call("read", fd, READ):
                data += piece
        finally:
            await self.call("close", fd)
        return bytes(data)

    # -- creating and removing --------------------------------------------------------

    def mkdir(self, path: Path, mode: int = 0o777, *, dir_fd: int | None = None) -> Call[None]:
        """Create a directory (mkdir(2))."""
        return self.call("mkdirat", _at(dir_fd), text(path), c_int(mode))

    def mknod(
        self, path: Path, mode: int = 0o600, device: int = 0, *, dir_fd: int | None = None
    ) -> Call[None]:
        """Create a node (mknod(2)).  If `mode` has no file type, the node is a regular file."""
        return self.call("mknodat", _at(dir_fd), text(path), mode if kind(mode) else mode | S_IFREG, device)

    def mkfifo(self, path: Path, mode: int = 0o666, *, dir_fd: int | None = None) -> Call[None]:
        """Create a named pipe (mkfifo(3))."""
        return self.call("mknodat", _at(dir_fd), text(path), mode | S_IFIFO, 0)

    def symlink(
        self, src: Path, dst: Path, target_is_directory: bool = False, *, dir_fd: int | None = None
    ) -> Call[None]:
        """Create a symbolic link `dst` to `src`.  As on Unix, `target_is_directory` has no effect."""
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
        """Create `dst`, another hard link to the file at `src` (link(2))."""
        flags = AT_SYMLINK_FOLLOW if follow_symlinks else 0
        return self.call("linkat", _at(src_dir_fd), text(src), _at(dst_dir_fd), text(dst), flags)

    def unlink(self, path: Path, *, dir_fd: int | None = None) -> Call[None]:
        """Remove the name of a file (unlink(2))."""
        return self.call("unlinkat", _at(dir_fd), text(path), 0)

    def rmdir(self, path: Path, *, dir_fd: int | None = None) -> Call[None]:
        """Remove an empty directory (rmdir(2))."""
        return self.call("unlinkat", _at(dir_fd), text(path), AT_REMOVEDIR)

    def rename(
        self, src: Path, dst: Path, *, src_dir_fd: int | None = None, dst_dir_fd: int | None = None
    ) -> Call[None]:
        """Rename a file (rename(2)).  An existing file `dst` is replaced."""
        return self.call("renameat2", _at(src_dir_fd), text(src), _at(dst_dir_fd), text(dst), 0)

    def rename_noreplace(self, src: Path, dst: Path) -> Call[None]:
        """Rename a file (RENAME_NOREPLACE).  Raise FileExistsError if `dst` exists."""
        return self.call("renameat2", AT_FDCWD, text(src), AT_FDCWD, text(dst), RENAME_NOREPLACE)

    # -- attributes and content -----------------------------------------------------------

    def chmod(self, path: Path | int, mode: int, *, dir_fd: int | None = None) -> Call[None]:
        """Set the mode of a file (chmod(2))."""
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
        """Set the owner and the group of a file (chown(2)); -1 leaves the id unchanged."""
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
        """Set the access time and the modification time of a file (utimensat(2)).

        `times` is in seconds since 1970, `ns` in nanoseconds.  Without both, the times become the current
        time. Raise ValueError if both are given.
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
        """Set the size of a file in bytes (truncate(2))."""
        if isinstance(path, int):
            return self.ftruncate(path, length)
        return self.call("truncate", text(path), length)

    def ftruncate(self, fd: int, length: int) -> Call[None]:
        """Set the size of an open file in bytes (ftruncate(2))."""
        return self.call("ftruncate", c_int(fd), length)

    def fsync(self, fd: int) -> Call[None]:
        """Flush the written data of a file to the storage device (fsync(2))."""
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
        """Map a file or a device, or anonymous memory if `fileno` is -1, as `mmap.mmap()` does.

        A length of 0 maps a whole regular file.  Like `mmap.mmap`, the mapping keeps a duplicate of the
        descriptor.
        """
        return await map_memory(self, c_int(fileno), length, flags, prot, access, offset)

    def memfd_create(self, name: str, flags: SupportsIndex = 1) -> Call[int]:
        """Return a descriptor of an anonymous file in memory (memfd_create(2)).

        The default of `flags` is MFD_CLOEXEC.
        """
        return self.call("memfd_create", text(name), c_int(flags))

    # -- working directory, root and umask --------------------------------------------------

    def chdir(self, path: Path | int) -> Call[None]:
        """Change the working directory, where relative paths begin (chdir(2))."""
        if isinstance(path, int):
            return self.call("fchdir", path)
        return self.call("chdir", text(path))

    def getcwd(self) -> Call[str]:
        """Return the absolute path of the working directory (getcwd(2))."""
        return self.call("getcwd")

    def chroot(self, path: Path) -> Call[None]:
        """Change the root directory of the process (chroot(2)).  The call requires CAP_SYS_CHROOT."""
        return self.call("chroot", text(path))

    def umask(self, mask: int) -> Call[int]:
        """Set the mode bits that new files do not get (umask(2)).  Return the previous mask."""
        return self.call("umask", c_int(mask))


def _at(dir_fd: int | None) -> int:
    return AT_FDCWD if dir_fd is None else c_int(dir_fd)


def _flags(follow_symlinks: bool) -> int:
    return 0 if follow_symlinks else AT_SYMLINK_NOFOLLOW


def _nanoseconds(seconds: float) -> int:
    """Convert seconds to nanoseconds as CPython's os.utime() does.

    The fraction is scaled alone and rounded down, so rounding errors of floating point match CPython's.
    """
    fraction, whole = modf(seconds)
    return int(whole) * 1_000_000_000 + floor(fraction * 1e9)
