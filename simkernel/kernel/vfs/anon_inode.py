"""Files without a path, as /proc/self/fd leads to them: pipes, sockets, eventfds and their kin.

A pipe can be opened once more, either end of it (`fifo_open()`); nothing else can (ENXIO).
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
    """What an open file without an inode of its own would have."""

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
        """Another open file of a pipe.  ENXIO for anything else."""
        if not isinstance(self._object, PipeEnd):
            raise os_error(ENXIO)
        return PipeEnd(self._object.pipe, reading=file.readable, writing=file.writable)

    def set_attributes(self, mode: int | None = None, uid: int | None = None, gid: int | None = None) -> None:
        """Change a pipe.  EPERM for sockets, which is not modelled."""
        if not isinstance(self._object, PipeEnd):
            raise self._unmodelled("another mode or owner of a socket", EPERM)
        super().set_attributes(mode, uid, gid)
        self._object.pipe.attributes = self.mode, self.uid, self.gid


class AnonDentry(Dentry):
    """The place of a file without a path, whose path is its description."""

    __slots__ = ("_description",)

    def __init__(self, inode: Inode, description: str) -> None:
        super().__init__("", None, inode)
        self._description = description

    def path_from(self, root: Dentry | None) -> str:
        """`pipe:[12]`, as `d_dname` has it."""
        return self._description
