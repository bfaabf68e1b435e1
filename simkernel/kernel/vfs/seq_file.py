"""Text files that the kernel generates at each read, as a sequence of records (fs/seq_file.c).

A read returns whole records, as many as fit into a page, or one larger record.  If the reader's buffer is
too small, the rest is kept unchanged for the next read.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from simkernel.engine import Engine
from simkernel.kernel.lib.costs import CostModel
from simkernel.kernel.vfs.file import DEFAULT_POLLMASK, FileObject, OpenFile, seek
from simkernel.kernel.vfs.inode import Inode
from simkernel.kernel.vfs.task import Task
from simkernel.uapi.errno import EINVAL, os_error
from simkernel.uapi.mman import PAGE_SIZE

NUMBERS: Final = re.compile("[0-9]+")
Records = Callable[[], Sequence[str]]
"""A function that returns the current text of a generated file, as a sequence of records."""
Store = Callable[["Task", bytes], int]
"""A function that handles a write. Its arguments are the writing task and the data. It returns the number of
bytes written.
"""


class SeqFile(FileObject):
    """An open file of /proc or sysfs. The kernel generates its text at each read.

    `_index` is the number of records already read. `_left` is the unread rest of the last one.  `events`
    are the poll events of the file. If `events` is None, the file has no poll operation, so epoll refuses
    it.
    """

    __slots__ = (
        "_costs", "_engine", "_index", "_left", "_position", "_records", "_size", "_store", "events", "inode",
    )  # fmt: skip

    def __init__(
        self,
        engine: Engine,
        costs: CostModel,
        inode: Inode,
        records: Records,
        store: Store | None = None,
        events: int | None = None,
    ) -> None:
        self._engine = engine
        self._costs = costs
        self.inode: Inode = inode
        self._records = records
        self._store = store
        self.events = events
        self._index = 0
        self._left = b""
        self._position = 0
        self._size = 0

    @property
    def can_poll(self) -> bool:
        """True if epoll can watch the file."""
        return self.events is not None

    def poll(self) -> int:
        """Return the file's poll events. If `events` is None, return Linux's default for a file without a
        poll operation.
        """
        return DEFAULT_POLLMASK if self.events is None else self.events

    def read(self, task: Task, file: OpenFile, size: int, position: int) -> bytes:
        """Return up to `size` bytes of the text from `position` on (`seq_read_iter()`)."""
        if not size:
            return b""
        if not self._size:  # the buffer is allocated once per open file (`seq_buf_alloc()`)
            self._size = PAGE_SIZE
            self._engine.charge(self._costs.page_alloc + self._costs.memory_charge)
        self._engine.charge(self._costs.seq_read)
        if position == 0 or position != self._position:
            self._seek(position)
        data, self._left = self._left[:size], self._left[size:]
        if len(data) < size:
            more = self._fill(size - len(data))
            data, self._left = data + more[: size - len(data)], more[size - len(data) :]
        self._position = position + len(data)
        self._engine.charge(self._costs.copy(len(data)))
        return data

    def _fill(self, wanted: int) -> bytes:
        """Return the next records as bytes, or b"" if no record is left. Stop after `wanted` bytes, or before
        a record that does not fit into the buffer. The first record always fits, because the buffer grows.
        """
        text = b""
        for record in self._records()[self._index :]:
            shown = self._show(record)
            while not text and len(shown) >= self._size:
                self._size *= 2
            if text and (len(text) >= wanted or len(text) + len(shown) >= self._size):
                break
            text += shown
            self._index += 1
        return text

    def _show(self, record: str) -> bytes:
        self._engine.charge(self._costs.seq_field * (1 + len(NUMBERS.findall(record))))
        return record.encode("utf-8", "surrogateescape")

    def _seek(self, position: int) -> None:
        """Skip the text up to `position` (`traverse()`)."""
        self._index, self._left, self._position = 0, b"", 0
        passed = 0
        for record in self._records() if position else ():
            shown = self._show(record)
            self._index += 1
            if passed + len(shown) >= position:
                self._left = shown[position - passed :]
                return
            passed += len(shown)

    def llseek(self, task: Task, file: OpenFile, offset: int, whence: int) -> int:
        """Set the position (`seq_lseek()`).  Raise EINVAL for SEEK_END, because the size is unknown."""
        return seek(file, offset, whence, None)

    def write(self, task: Task, file: OpenFile, data: bytes, position: int) -> int | Awaitable[int]:
        """Pass the data to the write function of the file. Raise EINVAL if the file has none."""
        if self._store is None:
            raise os_error(EINVAL)
        self._engine.charge(self._costs.copy(len(data)))
        return self._store(task, data)
