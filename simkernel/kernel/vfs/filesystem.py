"""The mounted file systems of a machine, and path walks through them (fs/namespace.c).

All processes share the mounts, because mount namespaces are not modelled.
"""

from __future__ import annotations

from typing import Final

import attrs

from simkernel.kernel.vfs.inode import Dentry
from simkernel.kernel.vfs.namei import Walk, check_path
from simkernel.kernel.vfs.superblock import SuperBlock
from simkernel.kernel.vfs.task import Task
from simkernel.kernel.vfs.tmpfs import Tmpfs
from simkernel.uapi import stat
from simkernel.uapi.errno import EINVAL, ENOTDIR, os_error
from simkernel.uapi.fcntl import AT_FDCWD

OPTIONS: Final = "rw,relatime"


@attrs.frozen(eq=False)
class Mount:
    """A mounted file system (a line of /proc/self/mounts)."""

    root: Dentry
    options: str

    @property
    def filesystem(self) -> SuperBlock:
        return self.root.inode.superblock


class FileSystems:
    """The mounted file systems.  `anonymous` contains the memfds and is not mounted (`shm_mnt`)."""

    def __init__(self, root: Dentry, anonymous: Tmpfs) -> None:
        self.root = root
        self.anonymous = anonymous
        self.mounts = [Mount(root, "rw")]

    def mount(self, root: Dentry, at: Dentry, options: str = OPTIONS) -> None:
        """Mount the file system whose root is `root` on the dentry `at`."""
        at.mounted = root
        root.mountpoint = at
        self.mounts.append(Mount(root, options))

    def bind(self, source: Dentry, at: Dentry) -> None:
        """Mount the file or directory `source` a second time, on the dentry `at` (a bind mount,
        `do_loopback()`).
        """
        if (source.inode.kind == stat.S_IFDIR) != (at.inode.kind == stat.S_IFDIR):
            raise os_error(ENOTDIR)
        source.inode.hold()
        self.mount(Dentry("/", None, source.inode), at)

    def unmount(self, root: Dentry) -> None:
        """Remove the mount with the root `root`.  Raise EINVAL if it is not mounted (`can_umount()`)."""
        if root.mountpoint is None:
            raise os_error(EINVAL)
        root.mountpoint.mounted = None
        root.mountpoint = None
        self.mounts = [each for each in self.mounts if each.root is not root]
        root.inode.put()

    # -- walks ----------------------------------------------------------------

    def walk(self, task: Task, path: str, dirfd: int = AT_FDCWD) -> Walk:
        """Return a new path walk for `task`. It starts at the root, the working directory or the directory
        `dirfd`.

        Raises ENOENT and ENAMETOOLONG for the path (`check_path()`), then EBADF and ENOTDIR.
        """
        check_path(path)
        root: Dentry = task.fs.root or self.root
        return Walk(task, root, root if path[:1] == "/" else self.start(task, dirfd))

    def start(self, task: Task, dirfd: int) -> Dentry:
        """Return the directory from which a relative path starts (`path_init()`)."""
        if dirfd == AT_FDCWD:
            here: Dentry = task.fs.cwd or task.fs.root or self.root
            return here
        dentry: Dentry | None = task.files.get_raw(dirfd).path
        if dentry is None or dentry.inode.kind != stat.S_IFDIR:
            raise os_error(ENOTDIR)
        return dentry

    def lookup(self, task: Task, path: str, dirfd: int = AT_FDCWD, follow: bool = True) -> Dentry:
        """Return the dentry of `path`."""
        return self.walk(task, path, dirfd).lookup(path, follow)
