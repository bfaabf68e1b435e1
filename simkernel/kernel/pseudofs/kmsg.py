"""/dev/kmsg: one log record for each read (kernel/printk/printk.c, Documentation/ABI/testing/dev-kmsg)."""

from __future__ import annotations

import re
from collections.abc import Coroutine
from typing import Any, Final

from simkernel.kernel.lib.log import PRINTKRB_RECORD_MAX, Level, LogRecord
from simkernel.kernel.lib.ratelimit import RateLimit
from simkernel.kernel.parts import KernelParts
from simkernel.kernel.sched.wait import sleep_on
from simkernel.kernel.vfs.char_file import CharDeviceFile, FileOperations
from simkernel.kernel.vfs.poll_table import PollTable, poll_wait
from simkernel.uapi.capability import CAP_SYSLOG
from simkernel.uapi.errno import EAGAIN, EINVAL, EPERM, EPIPE, ESPIPE, os_error
from simkernel.uapi.fcntl import O_ACCMODE, O_NONBLOCK, O_WRONLY
from simkernel.uapi.poll import POLLERR, POLLIN, POLLPRI, POLLRDNORM
from simkernel.uapi.seek import SEEK_DATA, SEEK_END, SEEK_SET

PRINTK_MESSAGE_MAX: Final = 2048
"""Maximum size in bytes of a record that a read returns. A longer record is cut off."""
USER: Final = 1
"""The facility of records that programs write (LOG_USER)."""
PREFIX: Final = re.compile(rb"<([0-9]*)>")


class Reader:
    """The state of an open /dev/kmsg: the sequence number of the record to read next, and the rate limit of
    its writes.
    """

    def __init__(self, kernel: KernelParts) -> None:
        self.kernel = kernel
        self.log = kernel.log
        self.next = self.log.first
        self.limit = RateLimit()

    def take(self) -> LogRecord | None:
        """Return the next record, or None if there is none yet.

        Raises EPIPE once if the next record was dropped. Then reading continues with the oldest record.
        """
        if self.next < self.log.first:
            self.next = self.log.first
            raise os_error(EPIPE)
        if self.next >= self.log.written:
            return None
        record = self.log.at(self.next)
        self.next += 1
        return record


def format_record(record: LogRecord) -> bytes:
    r"""Return a record in the format of /dev/kmsg (`info_print_ext_header()`).

    The format is `prefix,sequence,microseconds,flag;text`.  Unprintable bytes and the backslash are
    written as `\xNN` (`msg_add_ext_text()`).
    """
    prefix = record.facility << 3 | record.level
    text = bytearray(f"{prefix},{record.sequence},{max(record.time, 0) // 1000},-;".encode())
    plain = range(0x20, 0x7F)
    parts = [b"%c" % byte if byte in plain and byte != 0x5C else b"\\x%02x" % byte for byte in record.data]
    for part in (*parts, b"\n"):
        # Linux writes an escaped byte with scnprintf(), which needs one more byte for the NUL
        space = PRINTK_MESSAGE_MAX - len(text) - (len(part) > 1)
        text += part[: max(space, 0)]
    return bytes(text)


def kernel_of(file: CharDeviceFile) -> KernelParts:
    """Return the kernel of an open built-in character device, such as /dev/kmsg. Only the cdev of a built-in
    device stores the kernel in its field `data`.
    """
    kernel: KernelParts = file.cdev.data
    return kernel


def _open(file: CharDeviceFile) -> None:
    """Create the state of a newly opened /dev/kmsg.

    Raises EPERM for a reader without CAP_SYSLOG if dmesg_restrict is set (`devkmsg_open()`).
    """
    kernel = kernel_of(file)
    task = kernel.current()
    reads = file.flags & O_ACCMODE != O_WRONLY
    if reads and kernel.syslog.dmesg_restrict[0] and task and not task.credentials.capable(CAP_SYSLOG):
        raise os_error(EPERM)
    file.private_data = Reader(kernel)


def _read(file: CharDeviceFile, size: int, position: int) -> bytes | Coroutine[Any, Any, bytes]:
    """Read one record (`devkmsg_read()`).

    Raises EAGAIN, EPIPE, or EINVAL for a record that does not fit in `size` and is skipped.
    """
    reader: Reader = file.private_data
    record = reader.take()
    if record is not None:
        return _fit(record, size)
    if file.flags & O_NONBLOCK:
        raise os_error(EAGAIN)
    return _wait(reader, size)


async def _wait(reader: Reader, size: int) -> bytes:
    while (record := reader.take()) is None:
        await sleep_on(reader.kernel.log_readers)
    return _fit(record, size)


def _fit(record: LogRecord, size: int) -> bytes:
    text = format_record(record)
    if len(text) > size:
        raise os_error(EINVAL)
    return text


def _write(file: CharDeviceFile, data: bytes, position: int) -> int:
    """Write a record (`devkmsg_write()`). The text ends at the first NUL. If the text does not end with a
    newline, the record becomes readable only when another record follows.

    A prefix `<N>` of the text sets level and facility. If the facility is missing or 0 (the kernel's),
    LOG_USER is used. More than ten records in five seconds are dropped. When the file is closed, the log
    reports this.
    """
    if len(data) > PRINTKRB_RECORD_MAX:
        raise os_error(EINVAL)
    reader: Reader = file.private_data
    reader.limit.begin_interval(reader.kernel.engine.time())
    if not reader.limit.allow():
        return len(data)
    level, facility, text = Level.WARNING, USER, data.partition(b"\0")[0]
    if prefix := PREFIX.match(text):
        number = int(prefix[1] or b"0") & 0xFFFFFFFF
        level, facility, text = Level(number & 7), number >> 3 & 0xFF or USER, text[prefix.end() :]
    text = text[: PRINTKRB_RECORD_MAX - 1]
    line = text.removesuffix(b"\n").decode("utf-8", "surrogateescape")
    reader.log.printk(level, line, facility, finished=text.endswith(b"\n"))
    return len(data)


def _seek(file: CharDeviceFile, offset: int, whence: int) -> int:
    """Move the reader to the oldest record, to the first record after SYSLOG_ACTION_CLEAR, or to the end
    (`devkmsg_llseek()`).
    """
    if offset:
        raise os_error(ESPIPE)
    reader: Reader = file.private_data
    log = reader.log
    places = {SEEK_SET: log.first, SEEK_DATA: reader.kernel.syslog.cleared, SEEK_END: log.written}
    if whence not in places:
        raise os_error(EINVAL)
    reader.next = places[whence]
    return 0


def _poll(file: CharDeviceFile, table: PollTable) -> int:
    """Return the poll events: POLLIN if there are unread records, also POLLERR and POLLPRI if some of them
    were dropped (`devkmsg_poll()`).
    """
    reader: Reader = file.private_data
    poll_wait(reader.kernel.log_readers, table)
    if reader.next < reader.log.first:
        return POLLIN | POLLRDNORM | POLLERR | POLLPRI
    return POLLIN | POLLRDNORM if reader.next < reader.log.written else 0


def _release(file: CharDeviceFile) -> None:
    """Close the file, and log how many records the rate limit has dropped (`devkmsg_release()`,
    `ratelimit_state_exit()`).
    """
    reader: Reader = file.private_data
    if missed := reader.limit.missed:
        task = reader.kernel.current()
        name = "swapper/0" if task is None else task.comm
        reader.log.warn(f"{name}: {missed} output lines suppressed due to ratelimiting")


KMSG: Final = FileOperations(
    open=_open, release=_release, read=_read, write=_write, llseek=_seek, poll=_poll, keeps_position=True
)
