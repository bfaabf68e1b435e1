"""The tree of paths of one machine: the root, what is mounted, and walks through it (fs/namespace.c).

It is made when somebody first uses a path; a machine whose programs use none has no tree.  All
processes share it: there are no mount namespaces.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import attrs

from simkernel.kernel.pseudofs import mem
from simkernel.kernel.pseudofs.devtmpfs import Devtmpfs
from simkernel.kernel.pseudofs.proc.root import ProcFs
from simkernel.kernel.pseudofs.sysfs.root import SysFs
from simkernel.kernel.vfs.dentry import Dentry
from simkernel.kernel.vfs.inode import Owner
from simkernel.kernel.vfs.namei import Walk
from simkernel.kernel.vfs.superblock import SuperBlock
from simkernel.kernel.vfs.tmpfs import Tmpfs, TmpfsDirectory
from simkernel.uapi import stat
from simkernel.uapi.errno import ENOTDIR, os_error
from simkernel.uapi.fcntl import AT_FDCWD

if TYPE_CHECKING:
    from simkernel.kernel.kernel import Kernel
    from simkernel.kernel.vfs.task import Task

OPTIONS: Final = "rw,relatime"


@attrs.frozen(eq=False)
class Mount:
    """What is mounted where (a line of /proc/self/mounts)."""

    filesystem: SuperBlock
    root: Dentry
    options: str = OPTIONS


class FileSystems:
    """The tree: tmpfs at the root, at /tmp and /dev/shm, devtmpfs at /dev, and /proc and /sys."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        mem.register(kernel)
        self.mounts: list[Mount] = []
        rootfs = Tmpfs(kernel, self._next_device(), name="rootfs")
        self.root = rootfs.root
        self.mounts.append(Mount(rootfs, rootfs.root, "rw"))
        proc = ProcFs(kernel, self._next_device())
        self.mount(proc, proc.root, self._make(self.root, "proc", 0o555))
        sysfs = SysFs(kernel, self._next_device())
        self.mount(sysfs, sysfs.root, self._make(self.root, "sys", 0o555))
        devtmpfs = Devtmpfs(kernel, self._next_device())
        self.mount(devtmpfs, devtmpfs.root, self._make(self.root, "dev", 0o755), f"{OPTIONS},mode=755")
        for name, target in (("fd", "/proc/self/fd"), ("stdin", "/proc/self/fd/0"),
                             ("stdout", "/proc/self/fd/1"), ("stderr", "/proc/self/fd/2")):  # fmt: skip
            devtmpfs.root.inode.symlink(devtmpfs.root, name, Owner(0, 0, 0o777), target)
        for here, name in ((devtmpfs.root, "shm"), (self.root, "tmp")):
            tmpfs = Tmpfs(kernel, self._next_device(), 0o1777)
            self.mount(tmpfs, tmpfs.root, self._make(here, name, 0o1777), OPTIONS)
        self.anonymous = Tmpfs(kernel, self._next_device())
        """Where memfds lie: mounted nowhere (`shm_mnt`)."""

    def _next_device(self) -> int:
        """A device number for a file system that has no device (`get_anon_bdev()`)."""
        return stat.makedev(0, len(self.mounts) + 1)

    @staticmethod
    def _make(here: Dentry, name: str, mode: int) -> Dentry:
        inode = here.inode
        assert isinstance(inode, TmpfsDirectory)
        return inode.mkdir(here, name, Owner(0, 0, mode))

    def mount(self, filesystem: SuperBlock, root: Dentry, at: Dentry, options: str = OPTIONS) -> None:
        """Let `root` be seen at `at`."""
        at.mounted = root
        root.mountpoint = at
        self.mounts.append(Mount(filesystem, root, options))

    # -- walks ----------------------------------------------------------------

    def walk(self, task: Task, path: str, dirfd: int = AT_FDCWD) -> Walk:
        """A walk for `task`, from the root, from where it is, or from an open directory.  EBADF, ENOTDIR."""
        root: Dentry = task.fs.root or self.root
        return Walk(task, root, root if path[:1] == "/" else self.start(task, dirfd))

    def start(self, task: Task, dirfd: int) -> Dentry:
        """Where relative paths begin (`path_init()`)."""
        if dirfd == AT_FDCWD:
            here: Dentry = task.fs.cwd or task.fs.root or self.root
            return here
        dentry: Dentry | None = task.files.get(dirfd).path
        if dentry is None or dentry.inode.kind != stat.S_IFDIR:
            raise os_error(ENOTDIR)
        return dentry

    def lookup(self, task: Task, path: str, dirfd: int = AT_FDCWD, follow: bool = True) -> Dentry:
        """What `path` names."""
        return self.walk(task, path, dirfd).lookup(path, follow)
