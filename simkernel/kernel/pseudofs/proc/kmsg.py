"""/proc/kmsg: the kernel log for syslogd (fs/proc/kmsg.c, kernel/printk/printk.c).

All readers of the kernel log share one position with syslog(2), so a record is read only once.
"""

from __future__ import annotations

from typing import Final

from simkernel.kernel.pseudofs.proc.entry import ProcFs, ProcInode
from simkernel.kernel.sched.wait import WaitQueue
from simkernel.kernel.vfs.file import FileObject, OpenFile, seek
from simkernel.kernel.vfs.task import Task
from simkernel.uapi import stat
from simkernel.uapi.capability import CAP_SYSLOG
from simkernel.uapi.errno import EPERM, os_error
from simkernel.uapi.fcntl import O_NONBLOCK
from simkernel.uapi.poll import POLLIN, POLLRDNORM

MODE: Final = stat.S_IFREG | 0o400


class KmsgInode(ProcInode):
    """The inode of /proc/kmsg. Only a task with CAP_SYSLOG may open it."""

    __slots__ = ()

    def __init__(self, fs: ProcFs, path: str) -> None:
        super().__init__(fs, path, MODE)

    def open(self, task: Task, file: OpenFile) -> FileObject:
        """Open the log.  Raise EPERM without CAP_SYSLOG (`check_syslog_permissions()`)."""
        if not task.credentials.capable(CAP_SYSLOG):
            raise os_error(EPERM)
        return KmsgFile(self)


class KmsgFile(FileObject):
    """An open /proc/kmsg. A read returns records that no reader has read before."""

    __slots__ = ("_kernel", "inode", "readers", "wait_queues")

    def __init__(self, inode: KmsgInode) -> None:
        self._kernel = inode.fs.kernel
        self.inode: KmsgInode = inode
        self.readers: WaitQueue = self._kernel.log_readers
        self.wait_queues: tuple[WaitQueue, ...] = (self.readers,)

    def read(self, task: Task, file: OpenFile, size: int, position: int) -> bytes | None:
        """Return the unread records, up to `size` bytes, or None if all records are read (`kmsg_read()`)."""
        syslog = self._kernel.syslog
        if not syslog.unread() and (size or file.flags & O_NONBLOCK):
            return None
        data = syslog.read(size)
        self._kernel.engine.charge(self._kernel.costs.copy(len(data)))
        return data

    def llseek(self, task: Task, file: OpenFile, offset: int, whence: int) -> int:
        """Set the file position, which has no effect on reads (`generic_file_llseek()`)."""
        return seek(file, offset, whence, self.inode.size)

    def poll(self) -> int:
        """Return the poll events: readable if there are unread records (`kmsg_poll()`)."""
        return POLLIN | POLLRDNORM if self._kernel.syslog.unread() else 0
