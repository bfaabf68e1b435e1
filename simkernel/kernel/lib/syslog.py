"""The kernel log for syslog(2) and /proc/kmsg, and its settings (kernel/printk/printk.c)."""

from __future__ import annotations

from typing import Final

import attrs

from simkernel.kernel.lib.log import LOG_BUF_SHIFT, Log, LogRecord
from simkernel.uapi.errno import EINVAL, os_error
from simkernel.uapi.syslog import (
    SYSLOG_ACTION_CONSOLE_LEVEL,
    SYSLOG_ACTION_CONSOLE_OFF,
    SYSLOG_ACTION_CONSOLE_ON,
)

PRINTK_MESSAGE_MAX: Final = 2048
"""Maximum size in bytes of a formatted record, with its prefixes and a NUL.

Lines beyond this size are left out.
"""
LOG_BUF_LEN: Final = 1 << LOG_BUF_SHIFT


def _prefix(record: LogRecord) -> bytes:
    """Return `<level>[seconds.microseconds] ` (`info_print_prefix()` with CONFIG_PRINTK_TIME)."""
    return f"<{record.facility << 3 | record.level}>{record.stamp}".encode()


def print_text(record: LogRecord) -> bytes:
    """Return the lines of a record, each with its prefix (`record_print_text()`)."""
    prefix, rest, text, truncated = _prefix(record), record.data, b"", False
    while True:
        line, newline, _ = rest.partition(b"\n")
        if truncated and not newline:
            return text
        space = PRINTK_MESSAGE_MAX - len(text) - len(prefix) - len(b"\n\0")
        if len(rest) > space:
            if len(line) > space:
                return text
            rest, truncated = rest[:space], True
        text += prefix + line + b"\n"
        if len(rest) == len(line):
            return text
        rest = rest[len(line) + 1 :]


def text_size(record: LogRecord) -> int:
    """Return the size in bytes of a formatted record with all its lines (`get_record_print_text_size()`)."""
    data = record.data
    return len(_prefix(record)) * (data.count(b"\n") + 1) + len(data) + 1


@attrs.define
class Syslog:
    """The state that all readers of the log share. A record is read only once: if one reader has read it, the
    other readers do not get it.

    next, partial      the record to read next (`syslog_seq`), and how many bytes of it are read
    cleared            the first record after SYSLOG_ACTION_CLEAR (`clear_seq`)
    dmesg_restrict     1: reading requires CAP_SYSLOG (CONFIG_SECURITY_DMESG_RESTRICT, as in distributions)
    levels             /proc/sys/kernel/printk: console, default, minimum and default console level
    saved              the console level before SYSLOG_ACTION_CONSOLE_OFF
    """

    log: Log
    next: int = 0
    partial: int = 0
    cleared: int = 0
    dmesg_restrict: list[int] = attrs.field(factory=lambda: [1])
    levels: list[int] = attrs.field(factory=lambda: [7, 4, 1, 7])
    saved: int | None = None

    def unread(self) -> list[LogRecord]:
        """Return all records that no reader has read. If the record that is next to be read was dropped,
        first skip to the oldest record in the log.
        """
        if self.next < self.log.first:
            self.next, self.partial = self.log.first, 0
        return [self.log.at(each) for each in range(self.next, self.log.written)]

    def size_unread(self) -> int:
        """Return the number of bytes in the log that no reader has read (SYSLOG_ACTION_SIZE_UNREAD)."""
        return sum(map(text_size, self.unread())) - self.partial

    def read(self, size: int) -> bytes:
        """Return the unread records that fit into `size` bytes. If the first record does not fit, return its
        next `size` unread bytes (`syslog_print()`).
        """
        data = b""
        for record in self.unread():
            text = print_text(record)[self.partial :]
            if len(data) + len(text) > size:
                if not data:
                    data = text[:size]
                    self.partial += size
                break
            data += text
            self.next, self.partial = record.sequence + 1, 0
        return data

    def read_all(self, size: int) -> bytes:
        """Return the newest records since SYSLOG_ACTION_CLEAR that fit into `size` bytes
        (`syslog_print_all()`).
        """
        start = max(self.cleared, self.log.first)
        records = [self.log.at(each) for each in range(start, self.log.written)]
        total = sum(map(text_size, records))
        while total > size:
            total -= text_size(records.pop(0))
        return b"".join(map(print_text, records))

    def set_console(self, action: int, level: int) -> None:
        """Execute SYSLOG_ACTION_CONSOLE_OFF, _ON or _LEVEL.

        Raises EINVAL for another action or a wrong level.
        """
        console, _, minimum, _ = self.levels
        saved = None
        if action == SYSLOG_ACTION_CONSOLE_OFF:
            saved, level = console if self.saved is None else self.saved, minimum
        elif action == SYSLOG_ACTION_CONSOLE_ON:
            level = console if self.saved is None else self.saved
        elif action == SYSLOG_ACTION_CONSOLE_LEVEL and 1 <= level <= 8:
            level = max(level, minimum)
        else:
            raise os_error(EINVAL)
        self.levels[0], self.saved = level, saved
