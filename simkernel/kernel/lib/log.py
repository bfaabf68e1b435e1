"""The kernel log: printk's ring buffer.

A record is a time, a level and a text; a module's lines begin with its name, as `pr_fmt` makes them.
Each record is also a `console` tracepoint.  Nothing here names a path of the host or an address, so
that a log is the same on every machine.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from enum import IntEnum

import attrs

from simkernel.engine import Engine
from simkernel.kernel.lib.layers import KERNEL

RECORDS = 4096
"""Records kept: the descriptors of a 128 KiB buffer (kernel/printk/printk.c, CONFIG_LOG_BUF_SHIFT=17)."""


class Level(IntEnum):
    """How bad it is (include/linux/kern_levels.h)."""

    EMERG = 0
    ALERT = 1
    CRIT = 2
    ERR = 3
    WARNING = 4
    NOTICE = 5
    INFO = 6
    DEBUG = 7


@attrs.frozen(slots=True)
class LogRecord:
    """One line of the log.  `time` in nanoseconds; `sequence` counts from 0 and has no holes.

    `facility` is who wrote it, as syslog(3) counts: 0 the kernel.
    """

    sequence: int
    time: int
    level: Level
    text: str
    facility: int = 0

    def __str__(self) -> str:
        whole, fraction = divmod(max(self.time, 0) // 1000, 1_000_000)  # the clock is not up before 0
        return f"[{whole:5d}.{fraction:06d}] {self.text}"


class Log:
    """The log of one machine.  When it is full, the oldest records make room.

    `on_record` is called after records were appended.
    """

    def __init__(
        self, engine: Engine, on_record: Callable[[], None] = lambda: None, capacity: int = RECORDS
    ) -> None:
        self._engine = engine
        self._records: deque[LogRecord] = deque(maxlen=capacity)
        self.written = 0
        """How many records there ever were."""
        self._on_record = on_record

    def __repr__(self) -> str:
        return f"<kernel log of {len(self._records)} records>"

    @property
    def records(self) -> tuple[LogRecord, ...]:
        """What is kept, oldest first."""
        return tuple(self._records)

    @property
    def first(self) -> int:
        """The sequence number of the oldest record that is kept."""
        return self.written - len(self._records)

    def at(self, sequence: int) -> LogRecord:
        """The record of that number, which is one of those that are kept."""
        return self._records[sequence - self.first]

    def lines(self, level: Level = Level.DEBUG) -> list[str]:
        """The kept records that are at least as bad as `level`, as dmesg(1) prints them."""
        return [str(record) for record in self._records if record.level <= level]

    def printk(self, level: Level, text: str, facility: int = 0) -> None:
        """Append `text`, a record for each of its lines."""
        for line in text.splitlines():
            self._records.append(LogRecord(self.written, self._engine.time(), level, line, facility))
            self.written += 1
            if (emit := self._engine.trace.emit) is not None:
                emit("console", KERNEL, "log", level=int(level), text=line)
        self._on_record()

    def emerg(self, text: str) -> None:
        """The system is unusable."""
        self.printk(Level.EMERG, text)

    def alert(self, text: str) -> None:
        """Something must be done at once."""
        self.printk(Level.ALERT, text)

    def err(self, text: str) -> None:
        """An error."""
        self.printk(Level.ERR, text)

    def warn(self, text: str) -> None:
        """Something may be wrong."""
        self.printk(Level.WARNING, text)

    def info(self, text: str) -> None:
        """Information."""
        self.printk(Level.INFO, text)

    def debug(self, text: str) -> None:
        """For whoever looks for a fault."""
        self.printk(Level.DEBUG, text)
