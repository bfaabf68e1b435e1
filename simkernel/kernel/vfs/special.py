"""Nodes that stand for something else: devices, named pipes, sockets (`init_special_inode()`)."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TYPE_CHECKING

from simkernel.kernel.vfs.fifo import Fifo, open_fifo
from simkernel.kernel.vfs.inode import Inode, Owner
from simkernel.uapi import stat
from simkernel.uapi.errno import ENXIO, os_error

if TYPE_CHECKING:
    from simkernel.kernel.kernel import Kernel
    from simkernel.kernel.vfs.file import FileObject, OpenFile
    from simkernel.kernel.vfs.superblock import SuperBlock
    from simkernel.kernel.vfs.task import Task


class SpecialInode(Inode):
    """A node; `device` is a device's number as stat(2) has it, `fifo` the pipe of a named one in use."""

    __slots__ = ("_kernel", "fifo")

    def __init__(self, fs: SuperBlock, number: int, owner: Owner, device: int, kernel: Kernel) -> None:
        super().__init__(fs, number, owner.mode, owner.uid, owner.gid)
        self._kernel = kernel
        self.fifo: Fifo | None = None
        if self.kind in (stat.S_IFCHR, stat.S_IFBLK):
            self.rdev = device

    def open(self, task: Task, file: OpenFile) -> Awaitable[FileObject] | FileObject:
        """A driver opens a device, and both ends a pipe; a socket cannot be opened (`no_open()`).  ENXIO."""
        if self.kind == stat.S_IFCHR:
            devices = self._kernel.char_devices
            return devices.open(self, stat.major(self.rdev), stat.minor(self.rdev), file)
        if self.kind == stat.S_IFIFO:
            return open_fifo(self._kernel, self, file)
        raise os_error(ENXIO)  # there are no block devices
