"""The kernel log: printk's ring buffer (kernel/printk/printk.c, printk_ringbuffer.c).

A record has a time, a level and a text. A module's lines start with its name, as `pr_fmt` makes them. Each
record is also a `console` tracepoint.  The log contains no path and no address of the host, so it is the
same on every machine.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from enum import IntEnum
from typing import Final

import attrs

from simkernel.engine import Engine
from simkernel.kernel.lib.layers import KERNEL

LOG_BUF_SHIFT: Final = 17
"""Base-2 logarithm of the size in bytes of the buffer with all texts (CONFIG_LOG_BUF_SHIFT): 128 KiB."""
RECORDS: Final = 1 << LOG_BUF_SHIFT - 5
"""Maximum number of records: one descriptor for each 32 bytes of text (PRB_AVGBITS)."""
PRINTKRB_RECORD_MAX: Final = 1024
"""Maximum length of a text in bytes with its NUL; the rest is cut off (kernel/printk/internal.h)."""
BLOCK: Final = 8
"""Alignment of a text in the log's buffer, and size of the header in front of a text, in bytes (`struct
prb_data_block`).
"""


class Level(IntEnum):
    """The severity of a record (include/linux/kern_levels.h)."""

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
    """A record of the kernel log: a text with its time, its level and its sender.

    `time` is in ns. `sequence` counts from 0 without gaps.  `text` may have several lines. `facility` is
    the number of the sender in syslog(3); 0 is the kernel.
    """

    sequence: int
    time: int
    level: Level
    text: str
    facility: int = 0

    @property
    def data(self) -> bytes:
        """The text as bytes."""
        return self.text.encode("utf-8", "surrogateescape")

    @property
    def stamp(self) -> str:
        """The time stamp in front of each line (`print_time()`)."""
        # times during boot are negative; the clock shows 0 until boot has ended
        whole, fraction = divmod(max(self.time, 0) // 1000, 1_000_000)
        return f"[{whole:5d}.{fraction:06d}] "

    def __str__(self) -> str:
        return self.stamp + self.data.decode("utf-8", "backslashreplace").replace("\n", f"\n{self.stamp}")


class Log:
    """The kernel log of a machine.  If it is full, a new record replaces the oldest ones.

    `on_record` is called after each new record.
    """

    def __init__(
        self, engine: Engine, on_record: Callable[[], None] = lambda: None, capacity: int = RECORDS
    ) -> None:
        self._engine = engine
        self._capacity = capacity
        self._kept: deque[LogRecord] = deque()
        self._begins: deque[int] = deque()
        """Positions at which the texts of the kept records begin. Positions grow without limit; the offset in
        the ring buffer is the position modulo the buffer's size.
        """
        self._end = 0
        self._count = 0
        self._unfinished = 0
        self._on_record = on_record

    def __repr__(self) -> str:
        return f"<kernel log of {len(self._kept)} records>"

    @property
    def records(self) -> tuple[LogRecord, ...]:
        """The records that readers can get, oldest first. An unfinished record is left out."""
        return tuple(self._kept)[: len(self._kept) - self._unfinished]

    @property
    def written(self) -> int:
        """The sequence number of the next record that will become readable (`prb_next_seq()`)."""
        return self._count - self._unfinished

    @property
    def first(self) -> int:
        """The sequence number of the oldest record in the log."""
        return self._count - len(self._kept)

    def at(self, sequence: int) -> LogRecord:
        """Return the record with this sequence number, which must still be in the log."""
        return self._kept[sequence - self.first]

    def lines(self, level: Level = Level.DEBUG) -> list[str]:
        """Return the lines of the records that are at least as severe as `level`, in dmesg(1)'s format."""
        return [line for each in self.records if each.level <= level for line in str(each).split("\n")]

    def printk(self, level: Level, text: str, facility: int = 0, *, finished: bool = True) -> None:
        """Append a record (`vprintk_store()`).

        An unfinished record becomes readable when another one follows.
        """
        data = text.encode("utf-8", "surrogateescape")[: PRINTKRB_RECORD_MAX - 1]
        level_size = 0 if facility else 2  # on Linux, a kernel text begins with KERN_SOH and the level
        self._reserve(min(level_size + len(data) + finished + 1, PRINTKRB_RECORD_MAX))
        kept = data.decode("utf-8", "surrogateescape")
        self._kept.append(LogRecord(self._count, self._engine.time(), level, kept, facility))
        self._count += 1
        self._unfinished = int(not finished)
        if (emit := self._engine.trace.emit) is not None:
            emit("console", KERNEL, "log", level=int(level), text=data.decode("utf-8", "replace"))
        self._on_record()

    def _reserve(self, size: int) -> None:
        """Drop old records until a text of `size` bytes fits (`data_alloc()`).

        A text is contiguous, so it may start at the beginning of the ring buffer.
        """
        size = BLOCK + (size + BLOCK - 1) // BLOCK * BLOCK
        begin, end = self._end, self._end + size
        if end - 1 >> LOG_BUF_SHIFT != begin >> LOG_BUF_SHIFT:
            end = (end - 1 >> LOG_BUF_SHIFT << LOG_BUF_SHIFT) + size
        self._begins.append(begin)
        self._end = end
        while self._begins[0] < end - (1 << LOG_BUF_SHIFT) or len(self._begins) > self._capacity:
            self._begins.popleft()
            self._kept.popleft()

    def emerg(self, text: str) -> None:
        """Log a message of level KERN_EMERG: the system is unusable."""
        self.printk(Level.EMERG, text)

    def alert(self, text: str) -> None:
        """Log a message of level KERN_ALERT: immediate action is necessary."""
        self.printk(Level.ALERT, text)

    def err(self, text: str) -> None:
        """Log a message of level KERN_ERR: an error condition."""
        self.printk(Level.ERR, text)

    def warn(self, text: str) -> None:
        """Log a message of level KERN_WARNING."""
        self.printk(Level.WARNING, text)

    def info(self, text: str) -> None:
        """Log a message of level KERN_INFO."""
        self.printk(Level.INFO, text)

    def debug(self, text: str) -> None:
        """Log a message of level KERN_DEBUG."""
        self.printk(Level.DEBUG, text)
