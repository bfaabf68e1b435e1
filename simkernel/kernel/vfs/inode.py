"""Inodes (`struct inode`): files without their names. Dentries: the names in the directory tree.

A file system derives a class from `Inode` for each kind of file and overrides the supported operations.
The defaults behave as a NULL in `struct inode_operations`.  The caller has checked permissions
(kernel/vfs/namei.py). An inode does not know its caller; a call that creates a file passes the owner.
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

DAY: Final = 24 * 3600


@attrs.frozen
class Owner:
    """The owner and the mode of a new file."""

    uid: int
    gid: int
    mode: int


@attrs.frozen
class DirectoryEntry:
    """A directory entry as getdents64(2) returns it: name, inode number and file type (S_IF bits).

    `position` is the order of the entries in a directory and starts at 2.
    """

    name: str
    number: int
    kind: int
    position: int


class Inode:
    """A file of any type.  Its times are in ns of the realtime clock."""

    __slots__ = ("atime", "ctime", "gid", "mode", "mtime", "nlink", "number", "rdev", "superblock", "uid")

    block_size: ClassVar[int] = PAGE_SIZE
    """Preferred size of a read or write in bytes (st_blksize)."""

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
        """The file type: the S_IF bits of the mode."""
        return stat.kind(self.mode)

    @property
    def size(self) -> int:
        """Size in bytes (st_size)."""
        return 0

    @property
    def blocks(self) -> int:
        """Number of allocated blocks of 512 bytes (st_blocks)."""
        return 0

    @property
    def settable(self) -> bool:
        """False if chmod(2), chown(2) and utimensat(2) fail with EOPNOTSUPP (`anon_inode_setattr()`)."""
        return True

    def touch_atime(self) -> None:
        """Set atime after a read (relatime). Leave atime unchanged if it is later than both mtime and ctime
        and is less than a day old.
        """
        now = self.superblock.now()
        old = now // SECOND - self.atime // SECOND >= DAY
        if self.atime <= self.mtime or self.atime <= self.ctime or old:
            self.atime = now

    def set_attributes(self, mode: int | None = None, uid: int | None = None, gid: int | None = None) -> None:
        """Set mode, uid and gid (`notify_change()`).  The caller has checked permission."""
        self.mode = self.mode if mode is None else mode
        self.uid = self.uid if uid is None else uid
        self.gid = self.gid if gid is None else gid
        self.ctime = self.superblock.now()

    # -- inodes of any kind -----------------------------------------------------

    def truncate(self, size: int) -> None:
        """Set the size in bytes.  Raise EINVAL if the file has no size that can be set."""
        raise os_error(EINVAL)

    def hold(self) -> None:
        """Take a reference for a mount or an open file (`ihold()`)."""

    def put(self) -> None:
        """Drop a reference that `hold` took (`iput()`)."""

    def readlink(self, task: Task) -> str:
        """Return the path in a symbolic link.  Raise EINVAL for any other file."""
        raise os_error(EINVAL)

    def follow(self, task: Task) -> Dentry | None:
        """If the link leads directly to a file, return this file (`nd_jump_link()`). Return None if the
        link's target is the path that `readlink` returns.
        """
        return None

    # -- directories ------------------------------------------------------------

    def lookup(self, task: Task, here: Dentry, name: str) -> Dentry | None:
        """Return the entry `name` of this directory, or None.  `here` is the directory's dentry."""
        raise os_error(ENOTDIR)

    def missing(self, names: Sequence[str]) -> Exception:
        """Return the error for a file that does not exist: by default ENOENT. `names` are the path components
        from this directory to the file. On a machine with `unmodelled="raise"`, return NotModelled for a file
        of /proc or /sys that Linux has.
        """
        return os_error(ENOENT)

    def check_new_name(self, name: str) -> None:
        """Raise an error if this directory does not allow a new file with the name `name`. By default, it
        allows every name.
        """

    def entries(self, task: Task) -> Iterator[DirectoryEntry]:
        """Return the entries of this directory without `.` and `..`."""
        raise os_error(ENOTDIR)

    def create(self, here: Dentry, name: str, owner: Owner) -> Dentry:
        """Create a regular file (`vfs_create()`).  Raise EACCES if unsupported."""
        raise os_error(EACCES)

    def mknod(self, here: Dentry, name: str, owner: Owner, device: int) -> Dentry:
        """Create a device, FIFO or socket node.  Raise EPERM if unsupported."""
        raise os_error(EPERM)

    def mkdir(self, here: Dentry, name: str, owner: Owner) -> Dentry:
        """Create a directory.  Raise EPERM if unsupported."""
        raise os_error(EPERM)

    def symlink(self, here: Dentry, name: str, owner: Owner, target: str) -> Dentry:
        """Create a symbolic link to `target`.  Raise EPERM if unsupported."""
        raise os_error(EPERM)

    def link(self, here: Dentry, name: str, old: Dentry) -> Dentry:
        """Create a hard link to the file `old`.  Raise EPERM if unsupported."""
        raise os_error(EPERM)

    def unlink(self, here: Dentry, victim: Dentry) -> None:
        """Remove the name `victim` of a file that is not a directory.  Raise EPERM if unsupported."""
        raise os_error(EPERM)

    def rmdir(self, here: Dentry, victim: Dentry) -> None:
        """Remove the empty directory `victim`.  Raise EPERM if unsupported."""
        raise os_error(EPERM)

    def rename(self, here: Dentry, old: Dentry, target: Dentry, name: str, victim: Dentry | None) -> None:
        """Move `old` to `name` in the directory `target`, and replace the file `victim` there if it
        exists.
        """
        raise os_error(EPERM)


@attrs.define(eq=False, repr=False)
class Dentry:
    """A name in a directory, and its inode (`struct dentry`).

    `parent` is None for the root of a file system.  `mounted` is the root of the file system that is
    mounted on this dentry. A mounted root has this dentry as its `mountpoint`.  `deleted` is true if the
    name was removed while the file is still open.
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
        """Return the root of the file system that was last mounted on this dentry. Without a mount, return
        the dentry itself (`traverse_mounts()`).
        """
        seen = self
        while seen.mounted is not None:
            seen = seen.mounted
        return seen

    def up(self) -> Dentry:
        """Return the directory `..` of this one. The root is its own parent (`follow_dotdot()`)."""
        here = self
        while here.parent is None:
            if here.mountpoint is None:
                return here
            here = here.mountpoint
        return here.parent.top()

    def chain(self, root: Dentry | None = None) -> Iterator[Dentry]:
        """Yield this dentry and its parents up to the directory `root`, which is not yielded. For the top
        directory of a mounted file system, yield its mountpoint and not the directory itself.
        """
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
        """The absolute path, as `d_path()` formats it."""
        return self.path_from(None)

    def path_from(self, root: Dentry | None) -> str:
        """Return the absolute path for a process with the root directory `root`."""
        names = [each.name for each in self.chain(root)]
        return "/" + "/".join(reversed(names)) + (" (deleted)" if self.deleted else "")
