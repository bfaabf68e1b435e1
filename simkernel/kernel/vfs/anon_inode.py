"""Inodes for the links in /proc/self/fd to files without a path: pipes, sockets, eventfds and others.

Opening a link of a pipe in /proc/self/fd opens the pipe again, at either end (`fifo_open()`).  For other
files it fails with ENXIO.
"""

from __future__ import annotations

from collections.abc import Callable

from simkernel.kernel.lib.unmodelled import Unmodelled
from simkernel.kernel.vfs.file import ANON_INODEFS, FileObject, OpenableInode, OpenFile
from simkernel.kernel.vfs.inode import Dentry, Inode
from simkernel.kernel.vfs.pipe import PipeEnd
from simkernel.kernel.vfs.superblock import SuperBlock
from simkernel.kernel.vfs.task import Task
from simkernel.uapi.errno import ENXIO, EPERM, os_error


class AnonInode(OpenableInode):
    """The inode of an open file without a path. It is created when a program follows the file's link in
    /proc/self/fd.
    """

    __slots__ = ("_object", "_unmodelled")

    def __init__(self, object: FileObject, now: Callable[[], int], unmodelled: Unmodelled) -> None:
        it = object.anon_attributes
        super().__init__(SuperBlock("", it.device, now), it.number, it.mode, it.uid, it.gid)
        self._unmodelled = unmodelled
        self._object = object

    @property
    def settable(self) -> bool:
        return self.superblock.device != ANON_INODEFS

    def open(self, task: Task, file: OpenFile) -> FileObject:
        """Open a pipe again through its link in /proc/self/fd. Raise ENXIO if the file is not a pipe."""
        if not isinstance(self._object, PipeEnd):
            raise os_error(ENXIO)
        return PipeEnd(self._object.pipe, reading=file.readable, writing=file.writable)

    def set_attributes(self, mode: int | None = None, uid: int | None = None, gid: int | None = None) -> None:
        """Set mode and owner of a pipe. For a socket, this is not modelled: raise EPERM, or NotModelled on a
        machine with `unmodelled="raise"`.
        """
        if not isinstance(self._object, PipeEnd):
            raise self._unmodelled("changing mode or owner of a socket is not modelled", EPERM)
        super().set_attributes(mode, uid, gid)
        self._object.pipe.attributes = self.mode, self.uid, self.gid


class AnonDentry(Dentry):
    """The dentry of a file without a path. Its `path` is a text such as `pipe:[12]`."""

    __slots__ = ("_description",)

    def __init__(self, inode: Inode, description: str) -> None:
        super().__init__("", None, inode)
        self._description = description

    def path_from(self, root: Dentry | None) -> str:
        """Return the text that replaces the path of the file, for example `pipe:[12]` (`d_dname`)."""
        return self._description
