"""Functions of a hosted program's `posix` module that take paths."""

from __future__ import annotations

import posix as real
import stat as modes
from collections.abc import Iterator
from contextlib import AbstractContextManager
from functools import partial
from typing import Any, Final

from simkernel.hosted.calls import ProcessCalls, public
from simkernel.uapi.fcntl import O_CLOEXEC
from simkernel.uapi.stat import Stat

ONE_PATH: Final = ("chdir", "chown", "mkdir", "mkfifo", "mknod", "rmdir", "unlink", "utime")
"""Functions of `posix` that call the method of `App` with the same name.  (`App` has the system calls that a
program can make.)  Their errors have the path as `filename`.
"""
NO_PATH: Final = ("access", "ftruncate", "getcwd", "umask")
SYSTEM_CALLS: Final = ("fchdir", "fchmod", "fchown")
"""Functions of `posix` that make the system call with the same name directly, without a method of `App`."""


class PathFunctions:
    """Functions of `posix` whose arguments or results differ from those of the methods of `App`.  The
    parameters `dir_fd` and `follow_symlinks` have the same meaning as in Python.
    """

    def __init__(self, call: ProcessCalls) -> None:
        self._call = call

    def _app(self, name: str, *arguments: Any, paths: int = 1, **keywords: Any) -> Any:
        return self._call.function(name, paths)(*arguments, **keywords)

    def open(self, path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        """Open a file with close-on-exec, as os.open() does."""
        fd: int = self._app("open", path, flags | O_CLOEXEC, mode, dir_fd=dir_fd)
        return fd

    def stat(self, path: Any, *, dir_fd: int | None = None, follow_symlinks: bool = True) -> real.stat_result:
        """Return the status of a file or of an open descriptor."""
        return _result(self._app("stat", path, dir_fd=dir_fd, follow_symlinks=follow_symlinks))

    def lstat(self, path: Any, *, dir_fd: int | None = None) -> real.stat_result:
        """Return the status of a file.  If it is a symbolic link, return the status of the link itself."""
        return self.stat(path, dir_fd=dir_fd, follow_symlinks=False)

    def fstat(self, fd: int) -> real.stat_result:
        """Return the status of an open descriptor."""
        return _result(self._app("fstat", fd, paths=0))

    def readlink(self, path: Any, *, dir_fd: int | None = None) -> Any:
        """Return the target of a symbolic link, as bytes if `path` is bytes."""
        return _like(path, self._app("readlink", path, dir_fd=dir_fd))

    def listdir(self, path: Any = None) -> list[Any]:
        """Return the names in a directory without `.` and `..`, as bytes if `path` is bytes."""
        return [_like(path, name) for name, _, _ in self._entries(path)]

    def scandir(self, path: Any = None) -> ScanDir:
        """Return an iterator over the entries of a directory, as os.scandir() does."""
        return ScanDir(self, path, self._entries(path))

    def _entries(self, path: Any) -> list[tuple[str, int, int]]:
        entries: list[tuple[str, int, int]] = self._app("entries", "." if path is None else path)
        return entries

    def link(self, src: Any, dst: Any, *, follow_symlinks: bool = True, **folders: int | None) -> None:
        """Create a hard link to the file `src`. A symbolic link is not followed: `dst` becomes a hard link to
        the symbolic link.

        `folders` are `src_dir_fd` and `dst_dir_fd`.
        """
        self._app("link", src, dst, paths=2, **folders)

    def chmod(self, path: Any, mode: int, *, dir_fd: int | None = None, follow_symlinks: bool = True) -> None:
        """Set the mode of a file or of an open descriptor."""
        self._app("chmod", path, mode, dir_fd=dir_fd)

    def lchown(self, path: Any, uid: int, gid: int) -> None:
        """Set the owner and the group of a file.  If it is a symbolic link, change the link itself."""
        self._app("chown", path, uid, gid, follow_symlinks=False)

    def truncate(self, path: Any, length: int) -> None:
        """Set the size of a file or of an open descriptor.  For a descriptor, an error has no `filename`."""
        self._app("truncate", path, length, paths=0 if isinstance(path, int) else 1)

    def getcwdb(self) -> bytes:
        """Return the path of the working directory as bytes."""
        name: str = self._call("getcwd")
        return name.encode("utf-8", "surrogateescape")


def path_functions(call: ProcessCalls) -> dict[str, Any]:
    """Return the functions of `posix` that take paths, by name."""
    rename = call.function("rename", paths=2)
    return {
        **call.functions(ONE_PATH, paths=1),
        **call.functions(NO_PATH),
        **{name: partial(call, name) for name in SYSTEM_CALLS},
        "remove": call.function("unlink", paths=1),
        "rename": rename,
        "replace": rename,
        "symlink": call.function("symlink", paths=2),
        **public(PathFunctions(call)),
    }


class DirEntry:
    """An entry of a directory, with the attributes and methods of `os.DirEntry`."""

    def __init__(self, paths: PathFunctions, folder: Any, name: Any, number: int, kind: int) -> None:
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
        """Return the inode number of the entry."""
        return self._number

    def is_symlink(self) -> bool:
        """Return True for a symbolic link."""
        return modes.S_ISLNK(self._kind)

    def is_junction(self) -> bool:
        """Return False: only Windows has junctions."""
        return False

    def is_dir(self, *, follow_symlinks: bool = True) -> bool:
        """Return True for a directory."""
        return modes.S_ISDIR(self._mode(follow_symlinks))

    def is_file(self, *, follow_symlinks: bool = True) -> bool:
        """Return True for a regular file."""
        return modes.S_ISREG(self._mode(follow_symlinks))

    def stat(self, *, follow_symlinks: bool = True) -> real.stat_result:
        """Return the status of the file."""
        dir_fd = self._folder if isinstance(self._folder, int) else None
        return self._paths.stat(self.path, dir_fd=dir_fd, follow_symlinks=follow_symlinks)

    def _mode(self, follow: bool) -> int:
        if not follow or not self.is_symlink():
            return self._kind
        try:
            return self.stat().st_mode
        except FileNotFoundError:
            return 0


class ScanDir(Iterator[DirEntry], AbstractContextManager["ScanDir"]):
    """The iterator that `os.scandir` returns.  It can be closed."""

    def __init__(self, paths: PathFunctions, folder: Any, entries: list[tuple[str, int, int]]) -> None:
        self._entries: Iterator[DirEntry] = (
            DirEntry(paths, folder, _like(folder, name), number, kind) for name, number, kind in entries
        )

    def __next__(self) -> DirEntry:
        return next(self._entries)

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Discard the directory entries that the iterator has not yet returned."""
        self._entries = iter(())


def _like(path: Any, name: str) -> Any:
    """Return `name`, as bytes if `path` is bytes."""
    as_bytes = path is not None and not isinstance(path, int) and isinstance(real.fspath(path), bytes)
    return name.encode("utf-8", "surrogateescape") if as_bytes else name


def _joined(folder: Any, sep: Any, name: Any) -> Any:
    base = real.fspath(folder)
    return base + name if base.endswith(sep) else base + sep + name


def _result(found: Stat) -> real.stat_result:
    """Convert the result of a stat call to an `os.stat_result`, with all fields that this type has on
    Linux.
    """
    times = (found.st_atime_ns, found.st_mtime_ns, found.st_ctime_ns)
    ten = (
        found.st_mode, found.st_ino, found.st_dev, found.st_nlink, found.st_uid, found.st_gid, found.st_size,
        *(each // 1_000_000_000 for each in times),
    )  # fmt: skip
    return real.stat_result((*ten, *(each / 1e9 for each in times), *times,
                             found.st_blksize, found.st_blocks, found.st_rdev))  # fmt: skip
