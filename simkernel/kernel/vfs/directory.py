"""An open directory (fs/readdir.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simkernel.kernel.vfs.file import FileObject, OpenFile
from simkernel.kernel.vfs.inode import DirectoryEntry
from simkernel.uapi import stat
from simkernel.uapi.errno import EINVAL, EISDIR, ENOENT, os_error
from simkernel.uapi.seek import SEEK_CUR, SEEK_SET

if TYPE_CHECKING:
    from simkernel.kernel.vfs.dentry import Dentry
    from simkernel.kernel.vfs.inode import Inode
    from simkernel.kernel.vfs.task import Task


class DirectoryFile(FileObject):
    """What getdents64(2) reads.  A position is that of an entry; the dots have the first two."""

    __slots__ = ("_dentry",)

    def __init__(self, dentry: Dentry) -> None:
        self._dentry = dentry

    @property
    def inode(self) -> Inode:
        """The directory."""
        return self._dentry.inode

    def iterate(self, task: Task, file: OpenFile) -> list[DirectoryEntry]:
        """What comes from the position on.  ENOENT for a directory that was taken away."""
        inode = self._dentry.inode
        if self._dentry.deleted:
            raise os_error(ENOENT)
        above = self._dentry.up().inode
        dots = [
            DirectoryEntry(".", inode.number, stat.S_IFDIR, 0),
            DirectoryEntry("..", above.number, stat.S_IFDIR, 1),
        ]
        inode.accessed()
        position = file.position
        return [entry for entry in (*dots, *inode.entries(task)) if entry.position >= position]

    def read(self, task: Task, file: OpenFile, size: int, position: int) -> bytes:
        """EISDIR (`generic_read_dir()`)."""
        raise os_error(EISDIR)

    def llseek(self, task: Task, file: OpenFile, offset: int, whence: int) -> int:
        """To an entry's position (`dcache_dir_lseek()`)."""
        if whence == SEEK_CUR:
            offset += file.position
        if whence not in (SEEK_SET, SEEK_CUR) or offset < 0:
            raise os_error(EINVAL)
        file.position = offset
        return offset

    def fsync(self, task: Task, file: OpenFile) -> None:
        """There is nothing to be written back (`noop_fsync()`)."""
