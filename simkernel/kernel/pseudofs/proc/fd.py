"""/proc/PID/fd and fdinfo: the open files of a process (fs/proc/fd.c)."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import ClassVar, Final

from simkernel.kernel.pseudofs.proc.entry import ProcDirectory, ProcFs, ProcInode, ProcText, check_access
from simkernel.kernel.vfs.anon_inode import AnonDentry, AnonInode
from simkernel.kernel.vfs.file import FileObject, OpenFile, inode_and_device
from simkernel.kernel.vfs.inode import Dentry
from simkernel.kernel.vfs.task import Task
from simkernel.uapi import stat
from simkernel.uapi.errno import ENOENT, os_error
from simkernel.uapi.fcntl import O_CLOEXEC

MOUNT_ID: Final = 1
"""The mount id in fdinfo, the same for all files, because simkernel gives no ids to mounts."""


def _open_file(task: Task, fd: int) -> OpenFile:
    """Return the open file of a descriptor. Raise ENOENT if the descriptor is closed."""
    try:
        file: OpenFile = task.files.get_raw(fd)
    except OSError:
        raise os_error(ENOENT) from None
    return file


class FdDirectory(ProcDirectory):
    """The directory /proc/PID/fd: an entry for each descriptor of the task `owner`. Only the user of this
    task may list it (`proc_fd_permission()`).
    """

    __slots__ = ("_task",)

    permissions: ClassVar[int] = 0o500

    def __init__(self, fs: ProcFs, path: str, owner: Task) -> None:
        super().__init__(fs, path, {}, owner, self.permissions)
        self._task = owner

    @property
    def size(self) -> int:
        """The size that stat(2) reports (since Linux 6.2): the number of open descriptors."""
        return len(self._task.files)

    def names(self) -> Iterator[str]:
        return (str(fd) for fd, _ in self._task.files.items())

    def find(self, name: str) -> ProcInode | None:
        if not is_number(name):
            return None
        try:
            return self.child(f"{self.path}/{name}", int(name))
        except FileNotFoundError:
            return None

    def child(self, path: str, fd: int) -> ProcInode:
        """Return the inode of a descriptor's entry.  Raise ENOENT if the descriptor is closed."""
        return FdLink(self.fs, path, self._task, fd)


class FdInfoDirectory(FdDirectory):
    """The directory /proc/PID/fdinfo: an entry with position and flags for each descriptor.

    A task that may trace the process may read the directory (`proc_fdinfo_permission()`).
    """

    __slots__ = ()

    permissions: ClassVar[int] = 0o555

    size = 0

    def open(self, task: Task, file: OpenFile) -> FileObject:
        check_access(task, self._task)
        return super().open(task, file)

    def lookup(self, task: Task, here: Dentry, name: str) -> Dentry | None:
        check_access(task, self._task)
        return super().lookup(task, here, name)

    def child(self, path: str, fd: int) -> ProcInode:
        _open_file(self._task, fd)
        return ProcText(self.fs, path, partial(_info, self._task, fd), self._task, events=None)


class FdLink(ProcInode):
    """A link in /proc/PID/fd. Following it opens the file of the descriptor, even if the file's path no
    longer exists (`proc_fd_link()`).
    """

    __slots__ = ("_fd", "_task")

    size = 64

    def __init__(self, fs: ProcFs, path: str, owner: Task, fd: int) -> None:
        file = _open_file(owner, fd)
        mode = (0o500 if file.readable else 0) | (0o300 if file.writable else 0)
        super().__init__(fs, path, stat.S_IFLNK | mode, owner)
        self._task = owner
        self._fd = fd

    def readlink(self, task: Task) -> str:
        """Return the path of the open file. If the file has no path, return a description, such as
        `anon_inode:[eventfd]`.
        """
        file = _open_file(self._task, self._fd)
        return file.object.description if file.path is None else file.path.path

    def follow(self, task: Task) -> Dentry:
        file = _open_file(self._task, self._fd)
        kernel = self.fs.kernel
        it = file.object
        return file.path or AnonDentry(AnonInode(it, kernel.realtime, kernel.unmodelled), it.description)


def _info(task: Task, fd: int) -> list[str]:
    file = _open_file(task, fd)
    flags = file.flags | (O_CLOEXEC if task.files.closes_on_exec(fd) else 0)
    number, _ = inode_and_device(file)
    position = file.position if file.object.moves else 0
    return [
        f"pos:\t{position}\nflags:\t0{flags:o}\nmnt_id:\t{MOUNT_ID}\nino:\t{number}\n{file.object.fdinfo()}"
    ]


def is_number(name: str) -> bool:
    """Return True if `name` is a number as procfs writes it (`name_to_int()`)."""
    return name.isascii() and name.isdigit() and (name == "0" or name[0] != "0") and len(name) <= 10
