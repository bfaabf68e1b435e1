"""Inodes: what a file is, apart from its names (`struct inode`), and what can be done with one.

A file system's kinds of file derive from `Inode` and override what they can do.  The rest answers as a
NULL in `struct inode_operations` does.  Whether the caller may do it has been checked before
(kernel/vfs/namei.py); an inode does not know who calls, except where it is told whose a new file is.
"""

from __future__ import annotations

from collections.abc import Awaitable, Iterator
from typing import TYPE_CHECKING, ClassVar, Final

import attrs

from simkernel.engine import SECOND
from simkernel.uapi import stat
from simkernel.uapi.errno import EACCES, EINVAL, ENOTDIR, ENXIO, EPERM, os_error
from simkernel.uapi.mman import PAGE_SIZE

if TYPE_CHECKING:
    from simkernel.kernel.vfs.dentry import Dentry
    from simkernel.kernel.vfs.file import FileObject, OpenFile
    from simkernel.kernel.vfs.superblock import SuperBlock
    from simkernel.kernel.vfs.task import Task


DAY: Final = 24 * 3600 * SECOND


@attrs.frozen
class Owner:
    """Whose a new file is, and what its mode is."""

    uid: int
    gid: int
    mode: int


@attrs.frozen
class DirectoryEntry:
    """What getdents64(2) tells of a name: inode number and type (the S_IF bits).

    `position` orders the entries of a directory, from 2 on.
    """

    name: str
    number: int
    kind: int
    position: int


class Inode:
    """A file of any kind.  Times are in nanoseconds of the realtime clock."""

    __slots__ = ("atime", "ctime", "gid", "mode", "mtime", "nlink", "number", "rdev", "superblock", "uid")

    block_size: ClassVar[int] = PAGE_SIZE
    """st_blksize."""

    def __init__(self, superblock: SuperBlock, number: int, mode: int, uid: int = 0, gid: int = 0) -> None:
        self.superblock = superblock
        self.number = number
        self.mode = mode
        self.uid = uid
        self.gid = gid
        self.nlink = 2 if stat.kind(mode) == stat.S_IFDIR else 1
        self.rdev = 0
        self.atime = self.mtime = self.ctime = superblock.now()

    @property
    def kind(self) -> int:
        """The S_IF bits of its mode."""
        return stat.kind(self.mode)

    @property
    def size(self) -> int:
        """st_size in bytes."""
        return 0

    @property
    def blocks(self) -> int:
        """st_blocks, of 512 bytes."""
        return 0

    def accessed(self) -> None:
        """It was read: `atime` follows if it is older than a change, or a day old (relatime)."""
        now = self.superblock.now()
        if self.atime <= self.mtime or self.atime <= self.ctime or now - self.atime >= DAY:
            self.atime = now

    def set_attributes(self, mode: int | None = None, uid: int | None = None, gid: int | None = None) -> None:
        """Change mode and owner, which somebody may (`notify_change()`)."""
        self.mode = self.mode if mode is None else mode
        self.uid = self.uid if uid is None else uid
        self.gid = self.gid if gid is None else gid
        self.ctime = self.superblock.now()

    # -- any kind ---------------------------------------------------------------

    def open(self, task: Task, file: OpenFile) -> Awaitable[FileObject] | FileObject:
        """What an open file of it operates on.  ENXIO where nothing can be opened."""
        raise os_error(ENXIO)

    def truncate(self, size: int) -> None:
        """Set the size, where a program may."""
        raise os_error(EINVAL)

    def readlink(self, task: Task) -> str:
        """Where a symbolic link leads.  EINVAL for anything else."""
        raise os_error(EINVAL)

    def follow(self, task: Task) -> Dentry | None:
        """Where a link leads that is no path (`nd_jump_link()`); None: to where `readlink` says."""
        return None

    # -- directories ------------------------------------------------------------

    def lookup(self, task: Task, here: Dentry, name: str) -> Dentry | None:
        """What `name` is in this directory, which `here` is the name of; None: nothing."""
        raise os_error(ENOTDIR)

    def check_vacant(self, name: str) -> None:
        """`name`, which is not there, is to come to be: an error if looking for it already is one."""

    def entries(self, task: Task) -> Iterator[DirectoryEntry]:
        """What is in this directory, without the dots."""
        raise os_error(ENOTDIR)

    def create(self, here: Dentry, name: str, owner: Owner) -> Dentry:
        """A new regular file.  EACCES where none can be made (`vfs_create()`)."""
        raise os_error(EACCES)

    def mknod(self, here: Dentry, name: str, owner: Owner, device: int) -> Dentry:
        """A new device, pipe or socket.  EPERM where none can be made."""
        raise os_error(EPERM)

    def mkdir(self, here: Dentry, name: str, owner: Owner) -> Dentry:
        """A new directory."""
        raise os_error(EPERM)

    def symlink(self, here: Dentry, name: str, owner: Owner, target: str) -> Dentry:
        """A new symbolic link."""
        raise os_error(EPERM)

    def link(self, here: Dentry, name: str, old: Dentry) -> Dentry:
        """One more name of a file."""
        raise os_error(EPERM)

    def unlink(self, here: Dentry, victim: Dentry) -> None:
        """Take a name away."""
        raise os_error(EPERM)

    def rmdir(self, here: Dentry, victim: Dentry) -> None:
        """Take an empty directory away."""
        raise os_error(EPERM)

    def rename(self, here: Dentry, old: Dentry, target: Dentry, name: str, victim: Dentry | None) -> None:
        """Move `old` from `here` to be `name` in the directory `target`, in place of `victim`."""
        raise os_error(EPERM)
