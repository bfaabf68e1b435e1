"""Open directories (fs/readdir.c)."""

from __future__ import annotations

from simkernel.kernel.vfs.file import FileObject, OpenableInode, OpenFile, seek
from simkernel.kernel.vfs.inode import Dentry, DirectoryEntry, Inode
from simkernel.kernel.vfs.task import Task
from simkernel.uapi import stat
from simkernel.uapi.errno import EISDIR, ENOENT, os_error
from simkernel.uapi.fcntl import O_NOATIME


class DirectoryFile(FileObject):
    """An open directory, as getdents64(2) reads it.

    Positions count entries; `.` and `..` are 0 and 1.
    """

    __slots__ = ("_dentry",)

    def __init__(self, dentry: Dentry) -> None:
        self._dentry = dentry

    @property
    def inode(self) -> Inode:
        """The directory's inode, for fstat(2) and fchmod(2)."""
        return self._dentry.inode

    def iterate(self, task: Task, file: OpenFile) -> list[DirectoryEntry]:
        """Return the entries from the file's position on.  Raise ENOENT if the directory was removed."""
        inode = self._dentry.inode
        if self._dentry.deleted:
            raise os_error(ENOENT)
        above = self._dentry.up().inode
        dots = [
            DirectoryEntry(".", inode.number, stat.S_IFDIR, 0),
            DirectoryEntry("..", above.number, stat.S_IFDIR, 1),
        ]
        if not file.flags & O_NOATIME:
            inode.touch_atime()
        position = file.position
        return [entry for entry in (*dots, *inode.entries(task)) if entry.position >= position]

    def read(self, task: Task, file: OpenFile, size: int, position: int) -> bytes:
        """Raise EISDIR (`generic_read_dir()`)."""
        raise os_error(EISDIR)

    def llseek(self, task: Task, file: OpenFile, offset: int, whence: int) -> int:
        """Set the position. It counts directory entries, not bytes (`dcache_dir_lseek()`)."""
        return seek(file, offset, whence, None)

    def fsync(self, task: Task, file: OpenFile) -> None:
        """Do nothing, because tmpfs and other virtual file systems have no storage (`noop_fsync()`)."""


class DirectoryInode(OpenableInode):
    """The inode of a directory. open(2) creates a `DirectoryFile` for it."""

    __slots__ = ()

    def open(self, task: Task, file: OpenFile) -> FileObject:
        assert file.path is not None
        return DirectoryFile(file.path)
