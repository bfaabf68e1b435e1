"""Inodes: what a file is, apart from its names (`struct inode`); and dentries, its names in the tree.

A file system's kinds of file derive from `Inode` and override what they can do.  The rest answers as a
NULL in `struct inode_operations` does.  Whether the caller may do it has been checked before
(kernel/vfs/namei.py); an inode does not know who calls, except where it is told whose a new file is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar, Final

import attrs

from simkernel.engine import SECOND
from simkernel.kernel.vfs.superblock import SuperBlock
from simkernel.kernel.vfs.task import Task
from simkernel.uapi import stat
from simkernel.uapi.errno import EACCES, EINVAL, ENOENT, ENOTDIR, EPERM, os_error
from simkernel.uapi.mman import PAGE_SIZE

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

    @property
    def settable(self) -> bool:
        """False where chmod(2), chown(2) and utimensat(2) are EOPNOTSUPP (`anon_inode_setattr()`)."""
        return True

    def touch_atime(self) -> None:
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

    def truncate(self, size: int) -> None:
        """Set the size, where a program may."""
        raise os_error(EINVAL)

    def hold(self) -> None:
        """Take a reference for a mount or an open file (`ihold()`)."""

    def put(self) -> None:
        """Drop such a reference (`iput()`)."""

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

    def missing(self, names: Sequence[str]) -> Exception:
        """Return the error for the missing path `names` below this inode: ENOENT or NotModelled."""
        return os_error(ENOENT)

    def check_new_name(self, name: str) -> None:
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


@attrs.define(eq=False, repr=False)
class Dentry:
    """A name in a directory and the inode that it stands for.

    `parent` is None for the root of a file system.  `mounted` is the root of what is mounted here;
    `mountpoint` is, of such a root, the place where.  `deleted`: the name is gone, and who holds the
    file still has it.
    """

    name: str
    parent: Dentry | None
    inode: Inode
    mounted: Dentry | None = None
    mountpoint: Dentry | None = None
    deleted: bool = False

    def __repr__(self) -> str:
        return f"<{self.path}>"

    def top(self) -> Dentry:
        """What is seen here: the root of what is mounted last (`traverse_mounts()`)."""
        seen = self
        while seen.mounted is not None:
            seen = seen.mounted
        return seen

    def up(self) -> Dentry:
        """The directory that `..` is here; the root's is itself (`follow_dotdot()`)."""
        here = self
        while here.parent is None:
            if here.mountpoint is None:
                return here
            here = here.mountpoint
        return here.parent.top()

    def chain(self, root: Dentry | None = None) -> Iterator[Dentry]:
        """It and the directories above it up to `root`, across mounts, without the roots."""
        here = self
        while here is not root:
            while here.parent is None:
                if here.mountpoint is None:
                    return
                here = here.mountpoint
            yield here
            here = here.parent.top()

    @property
    def path(self) -> str:
        """Where it is, as `d_path()` writes it."""
        return self.path_from(None)

    def path_from(self, root: Dentry | None) -> str:
        """The same for a process whose root is `root`."""
        names = [each.name for each in self.chain(root)]
        return "/" + "/".join(reversed(names)) + (" (deleted)" if self.deleted else "")
