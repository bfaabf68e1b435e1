"""System calls on paths: open, stat, create, rename, remove, mount."""

from __future__ import annotations

from collections.abc import Awaitable, Coroutine
from typing import Any

from simkernel.kernel.lib.fault import check_fault
from simkernel.kernel.parts import KernelParts
from simkernel.kernel.vfs import attributes, change
from simkernel.kernel.vfs.anon_inode import AnonInode
from simkernel.kernel.vfs.file import OpenFile
from simkernel.kernel.vfs.filesystem import FileSystems
from simkernel.kernel.vfs.inode import Dentry, Inode
from simkernel.kernel.vfs.namei import Walk, check_path
from simkernel.kernel.vfs.open import check_flags, open_file
from simkernel.kernel.vfs.permission import MAY_EXEC, check
from simkernel.kernel.vfs.task import Task
from simkernel.uapi import dirent, fcntl, stat
from simkernel.uapi.capability import CAP_SYS_ADMIN, CAP_SYS_CHROOT
from simkernel.uapi.errno import EBUSY, EINVAL, ENODEV, ENOENT, ENOTDIR, EPERM, ERANGE, os_error
from simkernel.uapi.mount import MNT_DETACH, MS_BIND, MS_REC, PROPAGATIONS, UMOUNT_FLAGS, UMOUNT_NOFOLLOW
from simkernel.uapi.stat import Stat


class PathCalls:
    """Handlers of system calls on paths, and on the attributes of open files."""

    def __init__(self, kernel: KernelParts) -> None:
        self._kernel = kernel

    @property
    def _fs(self) -> FileSystems:
        return self._kernel.fs

    def _walk(self, task: Task, dirfd: int, path: str) -> Walk:
        walk = self._fs.walk(task, path, dirfd)
        self._kernel.engine.charge(self._kernel.costs.path_component * (path.count("/") + 1))
        return walk

    def _lookup(self, task: Task, dirfd: int, path: str, follow: bool = True) -> Dentry:
        return self._walk(task, dirfd, path).lookup(path, follow)

    def _target(self, task: Task, dirfd: int, path: str, flags: int) -> Inode:
        """Return the inode that `path` names.  With AT_SYMLINK_NOFOLLOW it can be a symbolic link.

        With AT_EMPTY_PATH an empty path means the open file `dirfd`, or the working directory for
        AT_FDCWD.
        """
        if not path and flags & fcntl.AT_EMPTY_PATH:
            if dirfd == fcntl.AT_FDCWD:
                return self._fs.start(task, dirfd).inode
            return self._inode(task.files.get_raw(dirfd))
        return self._lookup(task, dirfd, path, not flags & fcntl.AT_SYMLINK_NOFOLLOW).inode

    # -- opening ----------------------------------------------------------------

    def openat(
        self, task: Task, dirfd: int, path: str, flags: int, mode: int = 0
    ) -> int | Coroutine[Any, Any, int]:
        """Open a file and return its descriptor (openat(2))."""
        self._kernel.engine.charge(self._kernel.costs.file_open)
        check_fault(self._kernel.faults, "open", path=path, device=path.rpartition("/")[2])
        check_flags(self._kernel.unmodelled, flags)
        check_path(path)
        task.files.check_limit()
        opened = open_file(task, self._walk(task, dirfd, path), path, flags, mode)
        if isinstance(opened, Awaitable):
            return self._install_later(task, opened, flags)
        return task.files.install_new(opened, close_on_exec=bool(flags & fcntl.O_CLOEXEC))

    @staticmethod
    async def _install_later(task: Task, opening: Awaitable[OpenFile], flags: int) -> int:
        return task.files.install_new(await opening, close_on_exec=bool(flags & fcntl.O_CLOEXEC))

    # -- status, listing and permissions ----------------------------------------

    def newfstatat(self, task: Task, dirfd: int, path: str, flags: int = 0) -> Stat:
        """Return the attributes of a file (fstatat(2)).

        With AT_EMPTY_PATH an empty path means the file `dirfd`.
        """
        if not path and flags & fcntl.AT_EMPTY_PATH:
            if dirfd == fcntl.AT_FDCWD:
                return attributes.stat_of(self._fs.start(task, dirfd).inode)
            return self.fstat(task, dirfd)
        return attributes.stat_of(self._target(task, dirfd, path, flags))

    def fstat(self, task: Task, fd: int) -> Stat:
        """Return the attributes of an open file (fstat(2))."""
        file: OpenFile = task.files.get_raw(fd)
        inode = file.object.inode
        return _stat_of_anonymous(file) if inode is None else attributes.stat_of(inode)

    def getdents64(self, task: Task, fd: int, size: int) -> bytes:
        """Return as many directory entries as fit into `size` bytes (getdents64(2)).

        EINVAL if the first does not fit.
        """
        file: OpenFile = task.files.get(fd)
        buffer, position = dirent.DirentBuffer(size), file.position
        for entry in file.object.iterate(task, file):
            if not buffer.add(entry.number, entry.position + 1, entry.kind, entry.name):
                if not buffer.data:
                    raise os_error(EINVAL)
                break
            position = entry.position + 1
        data = bytes(buffer.data)
        self._kernel.engine.charge(self._kernel.costs.copy(len(data)))
        file.position = position
        return data

    def readlinkat(self, task: Task, dirfd: int, path: str, size: int = 4096) -> str:
        """Return the first `size` bytes of the target of a symbolic link as a str (readlinkat(2)).

        Raises EINVAL if the file is not a link, but ENOENT if it is not a link and `path` is empty.
        """
        if size <= 0:
            raise os_error(EINVAL)
        if path or dirfd == fcntl.AT_FDCWD:
            inode: Inode | None = self._lookup(task, dirfd, path, follow=False).inode
        else:
            inode = task.files.get_raw(dirfd).object.inode
        if inode is None or inode.kind != stat.S_IFLNK:
            raise os_error(EINVAL if path else ENOENT)
        target = inode.readlink(task).encode("utf-8", "surrogateescape")
        return target[:size].decode("utf-8", "surrogateescape")

    def faccessat(self, task: Task, dirfd: int, path: str, mode: int, flags: int = 0) -> None:
        """Check access for a mask of R_OK (4), W_OK (2) and X_OK (1) (faccessat2(2)).

        EINVAL for other bits.
        """
        if mode & ~0o7:
            raise os_error(EINVAL)
        inode = self._target(task, dirfd, path, flags)
        if mode:
            check(task.credentials, inode, mode)

    # -- creating and removing ----------------------------------------------------

    def mkdirat(self, task: Task, dirfd: int, path: str, mode: int) -> None:
        """Create a directory (mkdirat(2))."""
        change.make_directory(task, self._walk(task, dirfd, path), path, mode)

    def mknodat(self, task: Task, dirfd: int, path: str, mode: int, device: int = 0) -> None:
        """Create a regular file, a FIFO, a socket or a device node (mknodat(2))."""
        change.make_node(task, self._walk(task, dirfd, path), path, mode, device)

    def symlinkat(self, task: Task, target: str, dirfd: int, path: str) -> None:
        """Create a symbolic link (symlinkat(2))."""
        change.make_symlink(task, self._walk(task, dirfd, path), path, target)

    def linkat(self, task: Task, olddirfd: int, old: str, newdirfd: int, new: str, flags: int = 0) -> None:
        """Create a hard link (linkat(2)).

        If `old` is a symbolic link, only AT_SYMLINK_FOLLOW links its target.
        """
        if not old and flags & fcntl.AT_EMPTY_PATH:
            raise self._kernel.unmodelled("linkat with AT_EMPTY_PATH is not modelled", ENOENT)
        found = self._lookup(task, olddirfd, old, bool(flags & fcntl.AT_SYMLINK_FOLLOW))
        change.make_link(task, found, self._walk(task, newdirfd, new), new)

    def unlinkat(self, task: Task, dirfd: int, path: str, flags: int = 0) -> None:
        """Remove a file, or with AT_REMOVEDIR an empty directory (unlinkat(2))."""
        if flags & ~fcntl.AT_REMOVEDIR:
            raise os_error(EINVAL)
        function = change.remove_directory if flags else change.unlink
        function(task, self._walk(task, dirfd, path), path)

    def renameat2(self, task: Task, olddirfd: int, old: str, newdirfd: int, new: str, flags: int = 0) -> None:
        """Rename a file (renameat2(2)).  RENAME_NOREPLACE is the only flag that is modelled."""
        if flags & ~fcntl.RENAME_NOREPLACE:
            raise self._kernel.unmodelled(f"renameat2 flags {flags:#x} are not modelled", EINVAL)
        from_ = self._walk(task, olddirfd, old).parent(old)
        change.rename(task, from_, self._walk(task, newdirfd, new), new, bool(flags))

    # -- attributes ---------------------------------------------------------------

    def fchmodat(self, task: Task, dirfd: int, path: str, mode: int) -> None:
        """Set the mode of a file (fchmodat(2))."""
        attributes.chmod(task, self._lookup(task, dirfd, path).inode, mode)

    def fchmod(self, task: Task, fd: int, mode: int) -> None:
        """Set the mode of an open file (fchmod(2))."""
        attributes.chmod(task, self._inode(task.files.get(fd)), mode)

    def fchownat(self, task: Task, dirfd: int, path: str, uid: int, gid: int, flags: int = 0) -> None:
        """Set the owner and group of a file (fchownat(2))."""
        attributes.chown(task, self._target(task, dirfd, path, flags), uid, gid)

    def fchown(self, task: Task, fd: int, uid: int, gid: int) -> None:
        """Set the owner and group of an open file (fchown(2))."""
        attributes.chown(task, self._inode(task.files.get(fd)), uid, gid)

    def utimensat(
        self, task: Task, dirfd: int, path: str, times: tuple[int, int] | None, flags: int = 0
    ) -> None:
        """Set the access and modification times of a file to `times` (ns), or to the current time if `times`
        is None (utimensat(2)).
        """
        attributes.utimens(task, self._target(task, dirfd, path, flags), times)

    def truncate(self, task: Task, path: str, size: int) -> None:
        """Set the size of a file (truncate(2))."""
        if size < 0:
            raise os_error(EINVAL)
        attributes.truncate(task, self._lookup(task, fcntl.AT_FDCWD, path).inode, size)

    def ftruncate(self, task: Task, fd: int, size: int) -> None:
        """Set the size of an open file (ftruncate(2)).

        EINVAL unless it is a regular file that is open for writing.
        """
        if size < 0:
            raise os_error(EINVAL)
        file: OpenFile = task.files.get(fd)
        inode = file.object.inode
        if inode is None or inode.kind != stat.S_IFREG or not file.writable:
            raise os_error(EINVAL)
        attributes.set_size(task, inode, size)

    def fsync(self, task: Task, fd: int) -> None:
        """Call the fsync operation of an open file (fsync(2)). Raise EINVAL if the file has none."""
        file: OpenFile = task.files.get(fd)
        file.object.fsync(task, file)

    def _inode(self, file: OpenFile) -> Inode:
        return file.object.inode or AnonInode(file.object, self._kernel.realtime, self._kernel.unmodelled)

    # -- working directory and root -----------------------------------------------

    def chdir(self, task: Task, path: str) -> None:
        """Set the working directory (chdir(2))."""
        task.fs.cwd = _enterable(task, self._lookup(task, fcntl.AT_FDCWD, path))

    def fchdir(self, task: Task, fd: int) -> None:
        """Set the working directory to an open directory (fchdir(2))."""
        dentry: Dentry | None = task.files.get_raw(fd).path
        if dentry is None:
            raise os_error(ENOTDIR)
        task.fs.cwd = _enterable(task, dentry)

    def getcwd(self, task: Task, size: int = 4096) -> str:
        """Return the path of the working directory (getcwd(2)).

        Raises ENOENT if the directory was removed, ERANGE if `size` is too small.
        """
        dentry = self._fs.start(task, fcntl.AT_FDCWD)
        if any(each.deleted for each in dentry.chain()):
            raise os_error(ENOENT)
        path = dentry.path_from(task.fs.root)
        if len(path) >= size:
            raise os_error(ERANGE)
        return path

    def chroot(self, task: Task, path: str) -> None:
        """Set the root directory (chroot(2)). Raise EPERM without CAP_SYS_CHROOT."""
        dentry = _enterable(task, self._lookup(task, fcntl.AT_FDCWD, path))
        if not task.credentials.capable(CAP_SYS_CHROOT):
            raise os_error(EPERM)
        if task.fs.cwd is None:
            task.fs.cwd = self._fs.start(task, fcntl.AT_FDCWD)
        task.fs.root = dentry

    def mount(self, task: Task, source: str, path: str, filesystem: str, flags: int) -> None:
        """Make a bind mount (mount(2) with MS_BIND), or change a mount's propagation.

        The machine has one mount namespace, so propagation has no effect.  Raises EPERM without
        CAP_SYS_ADMIN, EINVAL if the source is empty or the target is not a mount point, and ENODEV for
        everything that is not modelled.
        """
        at = self._lookup(task, fcntl.AT_FDCWD, path)
        if not task.credentials.capable(CAP_SYS_ADMIN):
            raise os_error(EPERM)
        if flags & ~MS_REC == MS_BIND:
            if not source:
                raise os_error(EINVAL)
            self._fs.bind(self._lookup(task, fcntl.AT_FDCWD, source), at)
        elif flags & ~MS_REC not in PROPAGATIONS:
            raise self._kernel.unmodelled(f"mount({filesystem!r}, flags {flags:#x}) is not modelled", ENODEV)
        elif at.mountpoint is None and at is not self._fs.root:
            raise os_error(EINVAL)

    def umount2(self, task: Task, path: str, flags: int) -> None:
        """Unmount a file system (umount2(2)).  Only MNT_DETACH is modelled.

        Raises EPERM without CAP_SYS_ADMIN, EINVAL for unknown flags.
        """
        if flags & ~UMOUNT_FLAGS:
            raise os_error(EINVAL)
        root = self._lookup(task, fcntl.AT_FDCWD, path, not flags & UMOUNT_NOFOLLOW)
        if not task.credentials.capable(CAP_SYS_ADMIN):
            raise os_error(EPERM)
        if not flags & MNT_DETACH:
            raise self._kernel.unmodelled("umount2 without MNT_DETACH is not modelled", EBUSY)
        self._fs.unmount(root)

    def umask(self, task: Task, mask: int) -> int:
        """Set the file mode creation mask and return the old one (umask(2))."""
        old, task.fs.umask = task.fs.umask, mask & 0o777
        return old


def _enterable(task: Task, dentry: Dentry) -> Dentry:
    """Return `dentry` if `task` may enter it as a directory.  Raise ENOTDIR or EACCES otherwise."""
    if dentry.inode.kind != stat.S_IFDIR:
        raise os_error(ENOTDIR)
    check(task.credentials, dentry.inode, MAY_EXEC)
    return dentry


def _stat_of_anonymous(file: OpenFile) -> Stat:
    """Return the attributes of a file that is in no file system, such as a pipe or a socket."""
    it = file.object.anon_attributes
    return Stat(
        st_mode=it.mode, st_ino=it.number, st_dev=it.device, st_nlink=1, st_uid=it.uid, st_gid=it.gid,
        st_size=0, st_rdev=0, st_blksize=4096, st_blocks=0, st_atime_ns=0, st_mtime_ns=0, st_ctime_ns=0,
    )  # fmt: skip
