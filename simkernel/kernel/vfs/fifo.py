"""Named pipes: a node with a pipe that exists while the node is open (fs/pipe.c: fifo_open()).

An open of one end of a FIFO waits until the other end is opened.  With O_NONBLOCK a reader does not wait
and a writer gets ENXIO. An open for reading and writing never waits.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from simkernel.engine import Engine
from simkernel.kernel.lib.costs import CostModel
from simkernel.kernel.sched.wait import sleep_on
from simkernel.kernel.vfs.file import OpenableInode, OpenFile
from simkernel.kernel.vfs.inode import Owner
from simkernel.kernel.vfs.pipe import Pipe, PipeEnd
from simkernel.kernel.vfs.superblock import SuperBlock
from simkernel.kernel.vfs.task import Task
from simkernel.uapi.errno import EINVAL, ENXIO, os_error
from simkernel.uapi.fcntl import O_NONBLOCK
from simkernel.uapi.poll import POLLHUP


class Fifo(Pipe):
    """The pipe through which the open files of a named pipe transfer data.

    `read_opens` and `write_opens` count the opens of each end since its creation. `users` is the number of
    open files, including opens that wait.
    """

    def __init__(self, engine: Engine, costs: CostModel, inode: FifoInode) -> None:
        super().__init__(engine, costs, inode.number)
        self.inode = inode
        self.read_opens = 0
        self.write_opens = 0
        self.users = 0

    def read(self, size: int) -> bytes | None:
        """Read from the pipe. If there was data, update the access time of the named pipe
        (`fifo_pipe_read()`).
        """
        data = super().read(size)
        if data:
            self.inode.touch_atime()
        return data

    def _written(self, done: int, was_empty: bool, polled: bool | None = None) -> int:
        if done:  # `fifo_pipe_write()`
            self.inode.mtime = self.inode.ctime = self.inode.superblock.now()
        return super()._written(done, was_empty, polled)


class FifoInode(OpenableInode):
    """The inode of a named pipe.  `fifo` is its pipe while the inode is open, else None."""

    __slots__ = ("_costs", "_engine", "fifo")

    def __init__(self, fs: SuperBlock, owner: Owner, engine: Engine, costs: CostModel) -> None:
        super().__init__(fs, fs.next_number(), owner.mode, owner.uid, owner.gid)
        self._engine = engine
        self._costs = costs
        self.fifo: Fifo | None = None

    def open(self, task: Task, file: OpenFile) -> FifoEnd | Awaitable[FifoEnd]:
        """Open the read end, the write end or both ends of the named pipe (`fifo_open()`).

        Raises ENXIO for a non-blocking writer without readers, EINVAL for access mode 3, EINTR after a
        signal.
        """
        fifo = self.fifo
        if fifo is None:
            fifo = self.fifo = Fifo(self._engine, self._costs, self)
        reading, writing, waits = file.readable, file.writable, not file.flags & O_NONBLOCK
        if not (reading or writing):
            self.release(fifo)
            raise os_error(EINVAL)
        if not (reading or waits or fifo.readers):
            self.release(fifo)
            raise os_error(ENXIO)
        fifo.users += 1
        end = FifoEnd(fifo, self, reading=reading, writing=writing)
        if (reading and fifo.readers == 1) or (writing and fifo.writers == 1):
            fifo.read_wait.wake_up_all()
        if not writing and not fifo.writers:
            if waits:
                return _wait_for_partner(end, lambda: fifo.write_opens)
            end.seen_write_opens = fifo.write_opens
        if not reading and not fifo.readers:
            return _wait_for_partner(end, lambda: fifo.read_opens)
        return end

    def release(self, fifo: Fifo) -> None:
        """Drop the pipe if no open file uses it (`put_pipe_info()`)."""
        if not fifo.users:
            self.fifo = None


class FifoEnd(PipeEnd):
    """An open file of a named pipe: its read end, its write end or both.

    If a reader did not wait for a writer, it sees no POLLHUP before a writer opens the pipe.
    `seen_write_opens` is the number of opens of the write end before this file was opened (`f_pipe`).
    """

    __slots__ = ("fifo", "inode", "seen_write_opens")

    has_positions = False  # because it is a stream

    def __init__(self, fifo: Fifo, inode: FifoInode, *, reading: bool, writing: bool) -> None:
        super().__init__(fifo, reading=reading, writing=writing)
        self.fifo = fifo
        self.inode: FifoInode = inode
        self.seen_write_opens = -1
        fifo.read_opens += reading
        fifo.write_opens += writing

    def poll(self) -> int:
        """Return the poll events, without POLLHUP if this reader has not had a writer yet (`pipe_poll()`)."""
        events = super().poll()
        quiet = self.reading and self.seen_write_opens == self.fifo.write_opens
        return events & ~POLLHUP if quiet else events

    def release(self) -> None:
        """Close this end.  The last close also drops the contents of the pipe."""
        super().release()
        self.fifo.users -= 1
        self.inode.release(self.fifo)


async def _wait_for_partner(end: FifoEnd, opens: Callable[[], int]) -> FifoEnd:
    """Wait until a task opens the other end of the named pipe (`wait_for_partner()`). The wait ends even if
    that task has already closed its end again.
    """
    before = opens()
    try:
        while opens() == before:
            await sleep_on(end.fifo.read_wait)
    except BaseException:
        end.release()
        raise
    return end
