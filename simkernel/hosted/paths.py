"""The part of a hosted program's `posix` that takes paths."""

from __future__ import annotations

import posix as real
import stat as modes
from collections.abc import Iterator
from math import floor, modf
from typing import Any, Final

from simkernel.hosted.calls import SystemCalls
from simkernel.uapi import dirent
from simkernel.uapi.fcntl import (
    AT_FDCWD,
    AT_REMOVEDIR,
    AT_SYMLINK_NOFOLLOW,
    O_CLOEXEC,
    O_DIRECTORY,
    O_RDONLY,
)
from simkernel.uapi.stat import S_IFIFO, S_IFREG, Stat

NAMES_AT_ONCE: Final = 32768
"""The buffer of readdir(3), in bytes."""


class Paths:
    """Calls with paths.  `dir_fd` and `follow_symlinks` are Python's."""

    def __init__(self, call: SystemCalls) -> None:
        self._call = call

    # -- opening and looking ----------------------------------------------------

    def open(self, path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        """openat(2), close-on-exec."""
        name, at = _text(path), _at(dir_fd)
        fd: int = self._call.on_path("openat", path, at, name, flags | O_CLOEXEC, mode)
        return fd

    def stat(self, path: Any, *, dir_fd: int | None = None, follow_symlinks: bool = True) -> real.stat_result:
        """stat(2); of a descriptor fstat(2)."""
        if isinstance(path, int):
            return self.fstat(path)
        flags = 0 if follow_symlinks else AT_SYMLINK_NOFOLLOW
        return _result(self._call.on_path("newfstatat", path, _at(dir_fd), _text(path), flags))

    def lstat(self, path: Any, *, dir_fd: int | None = None) -> real.stat_result:
        """lstat(2)."""
        return self.stat(path, dir_fd=dir_fd, follow_symlinks=False)

    def fstat(self, fd: int) -> real.stat_result:
        """fstat(2)."""
        return _result(self._call("fstat", fd))

    def access(
        self,
        path: Any,
        mode: int,
        *,
        dir_fd: int | None = None,
        effective_ids: bool = False,
        follow_symlinks: bool = True,
    ) -> bool:
        """faccessat(2), as True or False."""
        try:
            self._call(
                "faccessat", _at(dir_fd), _text(path), mode, 0 if follow_symlinks else AT_SYMLINK_NOFOLLOW
            )
        except OSError:
            return False
        return True

    def readlink(self, path: Any, *, dir_fd: int | None = None) -> Any:
        """readlinkat(2)."""
        return _like(path, self._call.on_path("readlinkat", path, _at(dir_fd), _text(path)))

    def listdir(self, path: Any = None) -> list[Any]:
        """The names in a directory, without the two that each has."""
        return [_like(path, name) for name, _, _ in self._entries(path)]

    def scandir(self, path: Any = None) -> ScanDir:
        """The same as entries that know their kind."""
        return ScanDir(self, path, self._entries(path))

    def _entries(self, path: Any) -> list[tuple[str, int, int]]:
        where = "." if path is None else path
        fd = where if isinstance(where, int) else self.open(where, O_RDONLY | O_DIRECTORY)
        try:
            found: list[tuple[str, int, int]] = []
            if isinstance(where, int):
                self._call("lseek", fd, 0, 0)
            while data := self._call.on_path("getdents64", where, fd, NAMES_AT_ONCE):
                found += dirent.entries(data)
            return [entry for entry in found if entry[0] not in (".", "..")]
        finally:
            if not isinstance(where, int):
                self._call("close", fd)

    # -- making and taking away ---------------------------------------------------

    def mkdir(self, path: Any, mode: int = 0o777, *, dir_fd: int | None = None) -> None:
        """mkdirat(2)."""
        self._call.on_path("mkdirat", path, _at(dir_fd), _text(path), mode)

    def rmdir(self, path: Any, *, dir_fd: int | None = None) -> None:
        """rmdir(2)."""
        self._call.on_path("unlinkat", path, _at(dir_fd), _text(path), AT_REMOVEDIR)

    def unlink(self, path: Any, *, dir_fd: int | None = None) -> None:
        """unlinkat(2)."""
        self._call.on_path("unlinkat", path, _at(dir_fd), _text(path), 0)

    remove = unlink

    def mknod(self, path: Any, mode: int = 0o600, device: int = 0, *, dir_fd: int | None = None) -> None:
        """mknodat(2)."""
        kind = mode if modes.S_IFMT(mode) else mode | S_IFREG
        self._call.on_path("mknodat", path, _at(dir_fd), _text(path), kind, device)

    def mkfifo(self, path: Any, mode: int = 0o666, *, dir_fd: int | None = None) -> None:
        """mknodat(2) of a named pipe."""
        self._call.on_path("mknodat", path, _at(dir_fd), _text(path), mode | S_IFIFO)

    def symlink(
        self, src: Any, dst: Any, target_is_directory: bool = False, *, dir_fd: int | None = None
    ) -> None:
        """symlinkat(2)."""
        self._call.on_path("symlinkat", src, _text(src), _at(dir_fd), _text(dst), other=dst)

    def link(
        self,
        src: Any,
        dst: Any,
        *,
        src_dir_fd: int | None = None,
        dst_dir_fd: int | None = None,
        follow_symlinks: bool = True,
    ) -> None:
        """linkat(2)."""
        self._call.on_path("linkat", src, _at(src_dir_fd), _text(src), _at(dst_dir_fd), _text(dst), other=dst)

    def rename(
        self, src: Any, dst: Any, *, src_dir_fd: int | None = None, dst_dir_fd: int | None = None
    ) -> None:
        """renameat(2)."""
        self._call.on_path(
            "renameat2", src, _at(src_dir_fd), _text(src), _at(dst_dir_fd), _text(dst), 0, other=dst
        )

    replace = rename

    # -- changing -----------------------------------------------------------------

    def chmod(self, path: Any, mode: int, *, dir_fd: int | None = None, follow_symlinks: bool = True) -> None:
        """fchmodat(2); of a descriptor fchmod(2)."""
        if isinstance(path, int):
            self.fchmod(path, mode)
        else:
            self._call.on_path("fchmodat", path, _at(dir_fd), _text(path), mode)

    def fchmod(self, fd: int, mode: int) -> None:
        """fchmod(2)."""
        self._call("fchmod", fd, mode)

    def chown(
        self, path: Any, uid: int, gid: int, *, dir_fd: int | None = None, follow_symlinks: bool = True
    ) -> None:
        """fchownat(2); of a descriptor fchown(2)."""
        if isinstance(path, int):
            self.fchown(path, uid, gid)
        else:
            flags = 0 if follow_symlinks else AT_SYMLINK_NOFOLLOW
            self._call.on_path("fchownat", path, _at(dir_fd), _text(path), uid, gid, flags)

    def fchown(self, fd: int, uid: int, gid: int) -> None:
        """fchown(2)."""
        self._call("fchown", fd, uid, gid)

    def lchown(self, path: Any, uid: int, gid: int) -> None:
        """lchown(2)."""
        self.chown(path, uid, gid, follow_symlinks=False)

    def utime(
        self,
        path: Any,
        times: tuple[float, float] | None = None,
        *,
        ns: tuple[int, int] | None = None,
        dir_fd: int | None = None,
        follow_symlinks: bool = True,
    ) -> None:
        """utimensat(2).  ValueError for the times in two units."""
        if times is not None and ns is not None:
            raise ValueError("utime: you may specify either 'times' or 'ns' but not both")
        if times is not None:
            ns = (_nanoseconds(times[0]), _nanoseconds(times[1]))
        name = f"/proc/self/fd/{path}" if isinstance(path, int) else _text(path)
        flags = 0 if follow_symlinks else AT_SYMLINK_NOFOLLOW
        self._call.on_path("utimensat", path, _at(dir_fd), name, ns, flags)

    def truncate(self, path: Any, length: int) -> None:
        """truncate(2); of a descriptor ftruncate(2)."""
        if isinstance(path, int):
            self.ftruncate(path, length)
        else:
            self._call.on_path("truncate", path, _text(path), length)

    def ftruncate(self, fd: int, length: int, /) -> None:
        """ftruncate(2)."""
        self._call("ftruncate", fd, length)

    # -- where the process is -------------------------------------------------------

    def chdir(self, path: Any) -> None:
        """chdir(2); of a descriptor fchdir(2)."""
        if isinstance(path, int):
            self.fchdir(path)
        else:
            self._call.on_path("chdir", path, _text(path))

    def fchdir(self, fd: int) -> None:
        """fchdir(2)."""
        self._call("fchdir", fd)

    def getcwd(self) -> str:
        """getcwd(2)."""
        return str(self._call("getcwd"))

    def getcwdb(self) -> bytes:
        """The same, as bytes."""
        return self.getcwd().encode("utf-8", "surrogateescape")

    def umask(self, mask: int, /) -> int:
        """umask(2)."""
        return int(self._call("umask", mask))


def _nanoseconds(seconds: float) -> int:
    """As Python has it: the fraction by itself, which is not exact, and rounded down."""
    fraction, whole = modf(seconds)
    return int(whole) * 1_000_000_000 + floor(fraction * 1e9)


class DirEntry:
    """One name that scandir has found, as `os.DirEntry` is."""

    def __init__(self, paths: Paths, folder: Any, name: Any, number: int, kind: int) -> None:
        self._paths = paths
        self._folder = folder
        self._number = number
        self._kind = kind
        self.name = name
        sep = b"/" if isinstance(name, bytes) else "/"
        self.path = name if folder is None or isinstance(folder, int) else _joined(folder, sep, name)

    def __repr__(self) -> str:
        return f"<DirEntry {self.name!r}>"

    def __fspath__(self) -> Any:
        return self.path

    def inode(self) -> int:
        """Its inode's number."""
        return self._number

    def is_symlink(self) -> bool:
        """Whether it is a symbolic link."""
        return modes.S_ISLNK(self._kind)

    def is_junction(self) -> bool:
        """No: that is a thing of Windows."""
        return False

    def is_dir(self, *, follow_symlinks: bool = True) -> bool:
        """Whether it is a directory."""
        return modes.S_ISDIR(self._mode(follow_symlinks))

    def is_file(self, *, follow_symlinks: bool = True) -> bool:
        """Whether it is an ordinary file."""
        return modes.S_ISREG(self._mode(follow_symlinks))

    def stat(self, *, follow_symlinks: bool = True) -> real.stat_result:
        """stat(2) of it."""
        dir_fd = self._folder if isinstance(self._folder, int) else None
        return self._paths.stat(self.path, dir_fd=dir_fd, follow_symlinks=follow_symlinks)

    def _mode(self, follow: bool) -> int:
        if not follow or not self.is_symlink():
            return self._kind
        try:
            return self.stat().st_mode
        except FileNotFoundError:
            return 0


class ScanDir:
    """What `os.scandir` returns: an iterator that can be closed."""

    def __init__(self, paths: Paths, folder: Any, entries: list[tuple[str, int, int]]) -> None:
        self._entries: Iterator[DirEntry] = (
            DirEntry(paths, folder, _like(folder, name), number, kind) for name, number, kind in entries
        )

    def __iter__(self) -> Iterator[DirEntry]:
        return self

    def __next__(self) -> DirEntry:
        return next(self._entries)

    def __enter__(self) -> ScanDir:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give nothing more."""
        self._entries = iter(())


def _text(path: Any) -> str:
    """A path as the machine has it.  TypeError for what is none, ValueError for a NUL in it."""
    name = real.fspath(path)
    text = name.decode("utf-8", "surrogateescape") if isinstance(name, bytes) else name
    if "\0" in text:
        raise ValueError("embedded null byte")
    return text


def _like(path: Any, name: str) -> Any:
    """A name, as bytes where the path was."""
    as_bytes = path is not None and not isinstance(path, int) and isinstance(real.fspath(path), bytes)
    return name.encode("utf-8", "surrogateescape") if as_bytes else name


def _joined(folder: Any, sep: Any, name: Any) -> Any:
    base = real.fspath(folder)
    return base + name if base.endswith(sep) else base + sep + name


def _at(dir_fd: int | None) -> int:
    return AT_FDCWD if dir_fd is None else dir_fd


def _result(found: Stat) -> real.stat_result:
    """As `os.stat_result`, with all that Linux's has."""
    times = (found.st_atime_ns, found.st_mtime_ns, found.st_ctime_ns)
    ten = (
        found.st_mode, found.st_ino, found.st_dev, found.st_nlink, found.st_uid, found.st_gid, found.st_size,
        *(each // 1_000_000_000 for each in times),
    )  # fmt: skip
    return real.stat_result((*ten, *(each / 1e9 for each in times), *times,
                             found.st_blksize, found.st_blocks, found.st_rdev))  # fmt: skip
