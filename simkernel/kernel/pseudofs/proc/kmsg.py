"""/proc/kmsg: the kernel log for syslogd, who takes from it (fs/proc/kmsg.c, kernel/printk/printk.c).

All readers share one place in the log: what one has read no other gets.
"""

from __future__ import annotations

from typing import Final

import attrs

from simkernel.kernel.lib.log import LogRecord
from simkernel.kernel.pseudofs.proc.entry import ProcFs, ProcInode
from simkernel.kernel.sched.wait import WaitQueue
from simkernel.kernel.vfs.file import FileObject, OpenFile
from simkernel.kernel.vfs.task import Task
from simkernel.uapi import stat
from simkernel.uapi.capability import CAP_SYSLOG
from simkernel.uapi.errno import EPERM, os_error
from simkernel.uapi.poll import POLLIN, POLLRDNORM

MODE: Final = stat.S_IFREG | 0o400


@attrs.define
class Syslog:
    """Where syslog(2) is in the log: the next record, and what of a line was read already."""

    next: int = 0
    left: bytes = b""


def format_record(record: LogRecord) -> bytes:
    """`<level>[seconds.microseconds] text` (`record_print_text()` with CONFIG_PRINTK_TIME)."""
    return f"<{record.facility << 3 | record.level}>{record}\n".encode("utf-8", "surrogateescape")


class KmsgInode(ProcInode):
    """/proc/kmsg."""

    __slots__ = ("syslog",)

    def __init__(self, syslog: Syslog, fs: ProcFs, path: str) -> None:
        super().__init__(fs, path, MODE)
        self.syslog = syslog

    def open(self, task: Task, file: OpenFile) -> FileObject:
        """EPERM without CAP_SYSLOG (`check_syslog_permissions()`)."""
        if not task.credentials.capable(CAP_SYSLOG):
            raise os_error(EPERM)
        return KmsgFile(self)


class KmsgFile(FileObject):
    """/proc/kmsg, open."""

    __slots__ = ("_kernel", "inode", "readers", "wait_queues")

    def __init__(self, inode: KmsgInode) -> None:
        self._kernel = inode.fs.kernel
        self.inode: KmsgInode = inode
        self.readers: WaitQueue = self._kernel.log_readers
        self.wait_queues: tuple[WaitQueue, ...] = (self.readers,)

    def read(self, task: Task, file: OpenFile, size: int, position: int) -> bytes | None:
        """As much as there is (`syslog_print()`); None if there is nothing."""
        log, syslog = self._kernel.log, self.inode.syslog
        if syslog.next < log.first:  # dropped for later records: the rest of a line, too
            syslog.next, syslog.left = log.first, b""
        text = syslog.left
        while len(text) < size and syslog.next < log.written:
            text += format_record(log.at(syslog.next))
            syslog.next += 1
        if not text and size:
            return None
        data, syslog.left = text[:size], text[size:]
        self._kernel.engine.charge(self._kernel.costs.copy(len(data)))
        return data

    def poll(self) -> int:
        """Readable while there are records (`kmsg_poll()`)."""
        syslog = self.inode.syslog
        return POLLIN | POLLRDNORM if syslog.left or syslog.next < self._kernel.log.written else 0
