"""/dev/kmsg: the kernel log, a record a read (kernel/printk/printk.c, Documentation/ABI/testing/dev-kmsg)."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, Final

from simkernel.kernel.lib.log import Level, LogRecord
from simkernel.kernel.lib.ratelimit import RateLimit
from simkernel.kernel.parts import KernelParts
from simkernel.kernel.sched.wait import sleep_on
from simkernel.kernel.vfs.char_file import CharDeviceFile, FileOperations
from simkernel.kernel.vfs.poll_table import PollTable, poll_wait
from simkernel.uapi.errno import EAGAIN, EINVAL, EPIPE, ESPIPE, os_error
from simkernel.uapi.fcntl import O_NONBLOCK
from simkernel.uapi.poll import POLLERR, POLLIN, POLLPRI, POLLRDNORM
from simkernel.uapi.seek import SEEK_DATA, SEEK_END, SEEK_SET

PRINTKRB_RECORD_MAX: Final = 1024 - 48
"""Bytes that may be written at once."""
BACKSLASH: Final = 0x5C
USER: Final = 1
"""The facility of what programs write (LOG_USER)."""


class Reader:
    """One open file: the sequence number of the record that it reads next, and how often it may write."""

    def __init__(self, kernel: KernelParts) -> None:
        self.kernel = kernel
        self.log = kernel.log
        self.next = self.log.first
        self.limit = RateLimit()

    def take(self) -> LogRecord | None:
        """The next record.  EPIPE, once, if it was dropped for later ones, with which reading continues."""
        if self.next < self.log.first:
            self.next = self.log.first
            raise os_error(EPIPE)
        if self.next >= self.log.written:
            return None
        record = self.log.at(self.next)
        self.next += 1
        return record


def format_record(record: LogRecord) -> bytes:
    """A record as /dev/kmsg gives it: `prefix,sequence,microseconds,flag;text` (`info_print_ext_header()`).

    What is not printable, and the backslash, stands as `\\xNN` (`msg_add_ext_text()`).
    """
    text = "".join(
        chr(byte) if 0x20 <= byte < 0x7F and byte != BACKSLASH else f"\\x{byte:02x}"
        for byte in record.text.encode("utf-8", "surrogateescape")
    )
    prefix = record.facility << 3 | record.level
    microseconds = max(record.time, 0) // 1000
    return f"{prefix},{record.sequence},{microseconds},-;{text}\n".encode()


def kernel_of(file: CharDeviceFile) -> KernelParts:
    """The kernel of a built-in device, which its cdev has as data."""
    kernel: KernelParts = file.cdev.data
    return kernel


def _open(file: CharDeviceFile) -> None:
    """`devkmsg_open()`; reading wants CAP_SYSLOG where dmesg_restrict is set, which it is not."""
    file.private_data = Reader(kernel_of(file))


def _read(file: CharDeviceFile, size: int, position: int) -> bytes | Coroutine[Any, Any, bytes]:
    """`devkmsg_read()`: one record.  EINVAL if it does not fit, EAGAIN, EPIPE."""
    reader: Reader = file.private_data
    record = reader.take()
    if record is not None:
        return _fit(reader, record, size)
    if file.flags & O_NONBLOCK:
        raise os_error(EAGAIN)
    return _wait(reader, size)


async def _wait(reader: Reader, size: int) -> bytes:
    while (record := reader.take()) is None:
        await sleep_on(reader.kernel.log_readers)
    return _fit(reader, record, size)


def _fit(reader: Reader, record: LogRecord, size: int) -> bytes:
    text = format_record(record)
    if len(text) > size:
        reader.next = record.sequence  # it stays the next
        raise os_error(EINVAL)
    return text


def _write(file: CharDeviceFile, data: bytes, position: int) -> int:
    """`devkmsg_write()`: a record; `<N>` in front gives level and facility, of which 0 is the kernel's.

    More than ten in five seconds are dropped, which the log says when the file is closed.
    """
    if len(data) > PRINTKRB_RECORD_MAX:
        raise os_error(EINVAL)
    reader: Reader = file.private_data
    reader.limit.begins_anew(reader.kernel.engine.time())
    if not reader.limit.allows():
        return len(data)
    level, facility, text = Level.WARNING, USER, data
    if data[:1] == b"<":
        digits, closed, rest = data[1:].partition(b">")
        if closed and digits.isdigit():
            number = int(digits)
            level, text = Level(number & 7), rest
            facility = number >> 3 or USER
    reader.log.printk(level, text.decode("utf-8", "replace").rstrip("\n"), facility)
    return len(data)


def _seek(file: CharDeviceFile, offset: int, whence: int) -> int:
    """`devkmsg_llseek()`: to the oldest record, to what was cleared last (nothing is), behind the newest."""
    if offset:
        raise os_error(ESPIPE)
    if whence not in (SEEK_SET, SEEK_DATA, SEEK_END):
        raise os_error(EINVAL)
    reader: Reader = file.private_data
    reader.next = reader.log.written if whence == SEEK_END else reader.log.first
    return 0


def _poll(file: CharDeviceFile, table: PollTable) -> int:
    """`devkmsg_poll()`: readable while there are records; POLLERR and POLLPRI if some were missed."""
    reader: Reader = file.private_data
    poll_wait(reader.kernel.log_readers, table)
    if reader.next < reader.log.first:
        return POLLIN | POLLRDNORM | POLLERR | POLLPRI
    return POLLIN | POLLRDNORM if reader.next < reader.log.written else 0


def _release(file: CharDeviceFile) -> None:
    """`devkmsg_release()`, `ratelimit_state_exit()`."""
    reader: Reader = file.private_data
    if missed := reader.limit.missed:
        task = reader.kernel.current()
        name = "swapper/0" if task is None else task.comm
        reader.log.warn(f"{name}: {missed} output lines suppressed due to ratelimiting")


KMSG: Final = FileOperations(open=_open, release=_release, read=_read, write=_write, llseek=_seek, poll=_poll)
