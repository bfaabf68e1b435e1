"""Inodes of devices, named pipes and sockets (`init_special_inode()`)."""

from __future__ import annotations

from collections.abc import Awaitable

import attrs

from simkernel.engine import Engine
from simkernel.kernel.lib.costs import CostModel
from simkernel.kernel.vfs.char_dev import CharDevices
from simkernel.kernel.vfs.fifo import FifoInode
from simkernel.kernel.vfs.file import FileObject, OpenableInode, OpenFile
from simkernel.kernel.vfs.inode import Inode, Owner
from simkernel.kernel.vfs.superblock import SuperBlock
from simkernel.kernel.vfs.task import Task
from simkernel.uapi import stat


class CharDeviceInode(OpenableInode):
    """The inode of a character device. open(2) calls the driver's open function, if it has one."""

    __slots__ = ("_devices",)

    def __init__(self, fs: SuperBlock, owner: Owner, devices: CharDevices) -> None:
        super().__init__(fs, fs.next_number(), owner.mode, owner.uid, owner.gid)
        self._devices = devices

    def open(self, task: Task, file: OpenFile) -> Awaitable[FileObject] | FileObject:
        return self._devices.open(self, stat.major(self.rdev), stat.minor(self.rdev), file)


@attrs.frozen(eq=False)
class SpecialInodes:
    """Creates inodes for mknod(2). Block devices and sockets cannot be opened (`no_open()`)."""

    _engine: Engine
    _costs: CostModel
    _devices: CharDevices

    def make(self, fs: SuperBlock, owner: Owner, device: int) -> Inode:
        """Return a new inode in `fs`. `device` is the device number as in st_rdev."""
        kind = stat.kind(owner.mode)
        if kind == stat.S_IFIFO:
            return FifoInode(fs, owner, self._engine, self._costs)
        if kind == stat.S_IFCHR:
            inode: Inode = CharDeviceInode(fs, owner, self._devices)
        else:
            inode = Inode(fs, fs.next_number(), owner.mode, owner.uid, owner.gid)
        if kind in (stat.S_IFCHR, stat.S_IFBLK):
            inode.rdev = device
        return inode
