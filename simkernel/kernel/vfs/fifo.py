"""Named pipes: a pipe behind a name, as long as anybody has it open (fs/pipe.c: fifo_open()).

Whoever opens one end waits for somebody to open the other.  With O_NONBLOCK a reader does not wait, and a
writer is refused (ENXIO); who opens both ends has himself to talk to.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from simkernel.kernel.sched.wait import sleep_on
from simkernel.kernel.vfs.file import OpenFile
from simkernel.kernel.vfs.pipe import Pipe, PipeEnd
from simkernel.uapi.errno import ENXIO, os_error
from simkernel.uapi.fcntl import O_NONBLOCK
from simkernel.uapi.poll import POLLHUP

if TYPE_CHECKING:
    from simkernel.kernel.kernel import Kernel
    from simkernel.kernel.vfs.special import SpecialInode


class Fifo(Pipe):
    """The pipe.  `read_opens` and `write_opens` count how often an end was opened, ever.

    `users` have it open, or are about to.
    """

    def __init__(self, kernel: Kernel, number: int) -> None:
        super().__init__(kernel.engine, kernel.costs, number)
        self.read_opens = 0
        self.write_opens = 0
        self.users = 0


class FifoEnd(PipeEnd):
    """An open file of a named pipe.

    A reader who did not wait for a writer is not told that there is none before there was one: `quiet_at`
    is how often the other end had been opened then.
    """

    __slots__ = ("_inode", "fifo", "quiet_at")

    def __init__(self, fifo: Fifo, inode: SpecialInode, *, reading: bool, writing: bool) -> None:
        super().__init__(fifo, reading=reading, writing=writing)
        self.fifo = fifo
        self._inode = inode
        self.quiet_at = -1
        fifo.read_opens += reading
        fifo.write_opens += writing

    @property
    def inode(self) -> SpecialInode:
        """The node."""
        return self._inode

    @property
    def has_positions(self) -> bool:
        """It is a stream."""
        return False

    def poll(self) -> int:
        """`pipe_poll()`."""
        events = super().poll()
        quiet = self.reading and self.quiet_at == self.fifo.write_opens
        return events & ~POLLHUP if quiet else events

    def release(self) -> None:
        """This end is gone, and with the last one what was in the pipe."""
        super().release()
        _put(self._inode, self.fifo)


def open_fifo(kernel: Kernel, inode: SpecialInode, file: OpenFile) -> FifoEnd | Awaitable[FifoEnd]:
    """`fifo_open()`.  ENXIO; EINTR if a signal comes first."""
    fifo = inode.fifo
    if fifo is None:
        fifo = inode.fifo = Fifo(kernel, inode.number)
    reading, writing, waits = file.readable, file.writable, not file.flags & O_NONBLOCK
    if not (reading or waits or fifo.readers):
        _forget_if_unused(inode, fifo)
        raise os_error(ENXIO)
    fifo.users += 1
    end = FifoEnd(fifo, inode, reading=reading, writing=writing)
    if (reading and fifo.readers == 1) or (writing and fifo.writers == 1):
        fifo.read_wait.wake_up_all()
    if not writing and not fifo.writers:
        if waits:
            return _partner(end, lambda: fifo.write_opens)
        end.quiet_at = fifo.write_opens
    if not reading and not fifo.readers:
        return _partner(end, lambda: fifo.read_opens)
    return end


async def _partner(end: FifoEnd, opens: Callable[[], int]) -> FifoEnd:
    """Wait until the other end has been opened, be it closed again by now (`wait_for_partner()`)."""
    before = opens()
    try:
        while opens() == before:
            await sleep_on(end.fifo.read_wait)
    except BaseException:
        end.release()
        raise
    return end


def _put(inode: SpecialInode, fifo: Fifo) -> None:
    """`put_pipe_info()`."""
    fifo.users -= 1
    _forget_if_unused(inode, fifo)


def _forget_if_unused(inode: SpecialInode, fifo: Fifo) -> None:
    if not fifo.users:
        inode.fifo = None
