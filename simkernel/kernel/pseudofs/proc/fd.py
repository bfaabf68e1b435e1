"""/proc/PID/fd and fdinfo: the open files of a process (fs/proc/fd.c)."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Final

from simkernel.kernel.pseudofs.proc.entry import ProcDirectory, ProcFs, ProcInode, ProcText
from simkernel.kernel.vfs.anon_inode import AnonDentry
from simkernel.kernel.vfs.file import FileObject, OpenFile, place
from simkernel.kernel.vfs.inode import Dentry
from simkernel.uapi import stat
from simkernel.uapi.capability import CAP_SYS_PTRACE
from simkernel.uapi.errno import EACCES, ENOENT, os_error
from simkernel.uapi.fcntl import O_CLOEXEC

if TYPE_CHECKING:
    from simkernel.kernel.vfs.task import Task

MOUNT_ID: Final = 1
"""What fdinfo calls the mount: there is no telling them apart here."""


def open_file(task: Task, fd: int) -> OpenFile | None:
    """The open file; None if the descriptor is closed."""
    try:
        file: OpenFile = task.files.get(fd)
    except OSError:
        return None
    return file


def shown(file: OpenFile) -> str:
    """Where a file is, or what it is if it lies in no file system."""
    return file.object.description if file.path is None else file.path.path


class FdDirectory(ProcDirectory):
    """The descriptors of `owner`; only he may look (`proc_fd_permission()`)."""

    __slots__ = ("_task",)

    permissions: ClassVar[int] = 0o500

    def __init__(self, fs: ProcFs, path: str, owner: Task) -> None:
        super().__init__(fs, path, {}, owner, self.permissions)
        self._task = owner

    @property
    def size(self) -> int:
        """How many there are (since Linux 6.2)."""
        return len(self._task.files)

    def names(self) -> Iterator[str]:
        """The numbers of the open descriptors."""
        return (str(fd) for fd, _ in self._task.files.items())

    def find(self, name: str) -> ProcInode | None:
        file = open_file(self._task, int(name)) if is_number(name) else None
        return None if file is None else self.made(name, file)

    def made(self, name: str, file: OpenFile) -> ProcInode:
        """What stands for one."""
        return FdLink(self.fs, f"{self.path}/{name}", self._task, int(name), file)


class FdInfoDirectory(FdDirectory):
    """Position and flags of each.  Whoever may trace the process may look (`proc_fdinfo_permission()`)."""

    __slots__ = ()

    permissions: ClassVar[int] = 0o555

    @property
    def size(self) -> int:
        """Nobody counts them here."""
        return 0

    def open(self, task: Task, file: OpenFile) -> FileObject:
        """EACCES for others."""
        self._check(task)
        return super().open(task, file)

    def lookup(self, task: Task, here: Dentry, name: str) -> Dentry | None:
        """The same."""
        self._check(task)
        return super().lookup(task, here, name)

    def _check(self, task: Task) -> None:
        same = task.credentials.uid == self._task.credentials.uid
        if not same and not task.credentials.capable(CAP_SYS_PTRACE):
            raise os_error(EACCES)

    def made(self, name: str, file: OpenFile) -> ProcInode:
        return ProcText(self.fs, f"{self.path}/{name}", partial(_info, self._task, int(name)), self._task)


class FdLink(ProcInode):
    """A link that leads to an open file itself, whatever its path is by now (`proc_fd_link()`)."""

    __slots__ = ("_fd", "_task")

    def __init__(self, fs: ProcFs, path: str, owner: Task, fd: int, file: OpenFile) -> None:
        mode = (0o500 if file.readable else 0) | (0o300 if file.writable else 0)
        super().__init__(fs, path, stat.S_IFLNK | mode, owner)
        self._task = owner
        self._fd = fd

    @property
    def size(self) -> int:
        """What every link in procfs says."""
        return 64

    def _file(self) -> OpenFile:
        file = open_file(self._task, self._fd)
        if file is None:
            raise os_error(ENOENT)
        return file

    def readlink(self, task: Task) -> str:
        """Where the file is."""
        return shown(self._file())

    def follow(self, task: Task) -> Dentry:
        """The file."""
        file = self._file()
        kernel = self.fs.kernel
        return file.path or AnonDentry(file, kernel.realtime, kernel.unmodelled)


def _info(task: Task, fd: int) -> list[str]:
    file = open_file(task, fd)
    if file is None:
        raise os_error(ENOENT)
    flags = file.flags | (O_CLOEXEC if fd in task.files.close_on_exec else 0)
    number, _ = place(file)
    return [
        f"pos:\t{file.position}\nflags:\t0{flags:o}\nmnt_id:\t{MOUNT_ID}\nino:\t{number}\n"
        f"{file.object.fdinfo()}"
    ]


def is_number(name: str) -> bool:
    """Whether a name is a number as procfs writes them (`name_to_int()`)."""
    return name.isascii() and name.isdigit() and (name == "0" or name[0] != "0") and len(name) <= 10
