"""Pipes: a ring of pages between writers and readers (fs/pipe.c).

A write fills the last page if the data fits there, else it takes new pages. So a write of up to PIPE_BUF
bytes (one page) is never mixed with another writer's data.  A read takes up to its size, across pages.
"""

from __future__ import annotations

from collections import deque
from functools import partial
from typing import Final

import attrs

from simkernel.engine import Engine
from simkernel.kernel.lib.costs import CACHED, CostModel
from simkernel.kernel.sched.credentials import ROOT, Credentials
from simkernel.kernel.sched.wait import WaitQueue, WouldBlock
from simkernel.kernel.vfs.broken_pipe import broken_pipe
from simkernel.kernel.vfs.fasync import FasyncList
from simkernel.kernel.vfs.file import PIPEFS, AnonAttributes, FileObject, OpenFile
from simkernel.kernel.vfs.task import Task
from simkernel.uapi import capability as cap
from simkernel.uapi.errno import EBUSY, EINVAL, ENOTTY, EPERM, os_error
from simkernel.uapi.fcntl import O_DIRECT, O_NONBLOCK
from simkernel.uapi.ioctls import FIONREAD
from simkernel.uapi.mman import PAGE_SIZE
from simkernel.uapi.poll import POLLERR, POLLHUP, POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM
from simkernel.uapi.stat import S_IFIFO
from simkernel.uapi.structure import S32

DEFAULT_SLOTS: Final = 16
"""Pages of a new pipe (PIPE_DEF_BUFFERS)."""
PIPE_MAX_SIZE: Final = 1 << 20
"""Maximum capacity in bytes that a task without CAP_SYS_RESOURCE can give a pipe
(/proc/sys/fs/pipe-max-size).
"""
MAX_ROUND_SIZE: Final = 1 << 31
SPARE_PAGES: Final = 2
"""Maximum number of empty pages that a pipe keeps for later writes: 2 since Linux 6.15, 1 before
(`tmp_page[]`).
"""

READABLE: Final = POLLIN | POLLRDNORM
WRITABLE: Final = POLLOUT | POLLWRNORM


@attrs.define(eq=False)
class Slot:
    """A page of a pipe's ring (`struct pipe_buffer`). `data` was written to the page; its first `offset`
    bytes have been read.
    """

    data: bytes
    packet: bool
    offset: int = 0


class Pipe:
    """A pipe: ring of pages, counts of readers and writers, and wait queues (`struct pipe_inode_info`).

    `spare_pages` is the number of empty pages that are kept for later writes. `polled` becomes true at the
    first poll of the pipe. After that, each write wakes pollers, not only a write into an empty pipe
    (`poll_usage`).
    """

    def __init__(self, engine: Engine, costs: CostModel, number: int, owner: Credentials = ROOT) -> None:
        self.engine = engine
        self.costs = costs
        self.number = number
        self.attributes = S_IFIFO | 0o600, owner.uid, owner.gid
        """Mode, uid and gid that fstat(2) returns for the pipe."""
        self.slots: deque[Slot] = deque()
        self.capacity = DEFAULT_SLOTS
        self.readers = 0
        self.writers = 0
        self.spare_pages = 0
        self.polled = False
        self.read_wait = WaitQueue(f"data in pipe {number}")
        self.write_wait = WaitQueue(f"space in pipe {number}")
        self.fasync_readers = FasyncList()
        self.fasync_writers = FasyncList()

    @property
    def full(self) -> bool:
        """True if every page is in use."""
        return len(self.slots) >= self.capacity

    @property
    def length(self) -> int:
        """Number of bytes that can be read."""
        return sum(len(slot.data) - slot.offset for slot in self.slots)

    # -- reading ----------------------------------------------------------------

    def read(self, size: int) -> bytes | None:
        """Return up to `size` bytes. If the pipe is empty, return b"" if it has no writer, else None."""
        if not size:
            return b""
        slots = self.slots
        if not slots:
            if self.writers:
                return None
            return b""
        was_full = self.full
        engine, costs = self.engine, self.costs
        left = size
        pieces: list[bytes] = []
        while slots and left:
            slot = slots[0]
            piece = slot.data[slot.offset : slot.offset + left]
            try:
                engine.charged += costs.pipe + costs.copy(len(piece))
            except OSError:  # EFAULT: the bytes that were not copied stay in the pipe
                if pieces:
                    break
                raise
            slot.offset += len(piece)
            left -= len(piece)
            pieces.append(piece)
            if slot.packet:  # a read takes one packet and drops the part that does not fit
                left = 0
            if slot.packet or slot.offset == len(slot.data):
                slots.popleft()
                self.spare_pages = min(self.spare_pages + 1, SPARE_PAGES)
        data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        if len(data) > CACHED:
            engine.charged += costs.far(len(data))
        if was_full and not self.full:  # since Linux 6.14 a read that frees no page wakes no writer
            self.write_wait.wake_up_poll(WRITABLE)
        self.fasync_writers.kill()
        return data

    def read_again(self, size: int) -> bytes | None:
        """Read after an exclusive wait. If data is left, wake the next reader."""
        data = self.read(size)
        if data is not None and self.slots:
            self.read_wait.wake_up_poll(READABLE)
        return data

    # -- writing ----------------------------------------------------------------

    def write(self, data: bytes, packets: bool, waits: bool = True) -> int:
        """Write all of `data`, in packets of at most a page if `packets` is true.

        Raises WouldBlock with the number of written bytes if the pipe is full, BrokenPipe without readers.
        """
        if not data:
            return 0
        if not self.readers:
            raise broken_pipe()
        was_empty = not self.slots
        done = 0
        tail = len(data) % PAGE_SIZE
        if tail and not was_empty:
            last = self.slots[-1]
            if not last.packet and len(last.data) + tail <= PAGE_SIZE:
                self.engine.charged += self.costs.pipe + self.costs.copy(tail)
                last.data += data[:tail]
                done = tail
                if done == len(data):
                    return self._written(done, was_empty)
        return self._fill(data, done, packets, was_empty, waits)

    def _fill(self, data: bytes, done: int, packets: bool, was_empty: bool, waits: bool = True) -> int:
        engine, costs, begun = self.engine, self.costs, done
        while done < len(data) and not self.full:
            piece = data[done : done + PAGE_SIZE]
            if self.spare_pages:
                self.spare_pages -= 1
            else:
                engine.charged += costs.page_alloc + costs.memory_charge
            try:
                engine.charged += costs.pipe + costs.copy(len(piece))
            except OSError:  # EFAULT: keep the page for the next write
                self.spare_pages = min(self.spare_pages + 1, SPARE_PAGES)
                if not done:
                    raise
                return self._written(done, was_empty)
            self.slots.append(Slot(piece, packets))
            done += len(piece)
        if done - begun > CACHED:
            engine.charged += costs.far(done - begun)
        # before a write sleeps, it wakes readers and pollers only if the pipe was empty (`pipe_write()`)
        sleeps = waits and done < len(data)
        self._written(done, was_empty, self.polled and not sleeps)
        if done < len(data):
            again = partial(self._write_again, data, done, packets)
            raise WouldBlock(self.write_wait, again, done, exclusive=True)
        return done

    def _write_again(self, data: bytes, done: int, packets: bool) -> int:
        """Continue a write after an exclusive wait. If space is left, wake the next writer."""
        if not self.readers:
            raise broken_pipe(done)
        result = self._fill(data, done, packets, not self.slots)
        if not self.full:
            self.write_wait.wake_up_poll(WRITABLE)
        return result

    def _written(self, done: int, was_empty: bool, polled: bool | None = None) -> int:
        if was_empty or (self.polled if polled is None else polled):
            self.read_wait.wake_up_poll(READABLE)
        self.fasync_readers.kill()
        return done

    # -- size -------------------------------------------------------------------

    @property
    def size(self) -> int:
        """Capacity in bytes (F_GETPIPE_SZ)."""
        return self.capacity * PAGE_SIZE

    def set_size(self, task: Task, size: int) -> int:
        """Set the capacity and return the new one in bytes (F_SETPIPE_SZ, `pipe_set_size()`).

        Raises EPERM above the limit, EBUSY if the contents do not fit, EINVAL if the size is too large.
        """
        size &= 0xFFFFFFFF
        if size > MAX_ROUND_SIZE:
            raise os_error(EINVAL)
        slots = 1 << (max(size, PAGE_SIZE) - 1).bit_length() >> (PAGE_SIZE - 1).bit_length()
        if (
            slots > self.capacity
            and slots * PAGE_SIZE > PIPE_MAX_SIZE
            and not task.credentials.capable(cap.CAP_SYS_RESOURCE)
        ):
            raise os_error(EPERM)
        if slots < len(self.slots):
            raise os_error(EBUSY)
        self.capacity = slots
        self.write_wait.wake_up()
        return self.size

    # -- closing ----------------------------------------------------------------

    def release(self, reading: bool, writing: bool) -> None:
        """Remove an open file from the counts of readers and writers (`pipe_release()`)."""
        self.readers -= reading
        self.writers -= writing
        if (not self.readers) != (not self.writers):
            self.read_wait.wake_up_all()
            self.write_wait.wake_up_all()
            self.fasync_readers.kill()
            self.fasync_writers.kill()


class PipeEnd(FileObject):
    """An open file of a pipe. It is the read end or the write end; for a named pipe it can be both."""

    exclusive_read = True
    ioctl_table = "pipe"

    __slots__ = ("pipe", "readers", "reading", "wait_queues", "writing")

    def __init__(self, pipe: Pipe, *, reading: bool = False, writing: bool = False) -> None:
        self.pipe = pipe
        self.reading = reading
        self.writing = writing
        self.readers: WaitQueue = pipe.read_wait
        self.wait_queues: tuple[WaitQueue, ...] = (pipe.read_wait,) * reading + (pipe.write_wait,) * writing
        pipe.readers += reading
        pipe.writers += writing

    def poll(self) -> int:
        """Return the poll events of this end (`pipe_poll()`)."""
        pipe = self.pipe
        pipe.polled = True
        events = 0
        if self.reading:
            events |= (READABLE if pipe.slots else 0) | (0 if pipe.writers else POLLHUP)
        if self.writing:
            events |= (0 if pipe.full else WRITABLE) | (0 if pipe.readers else POLLERR)
        return events

    def read(self, task: Task, file: OpenFile, size: int, position: int) -> bytes | None:
        """Read up to `size` bytes from the pipe."""
        data = self.pipe.read(size)
        if data is None and file.flags & O_NONBLOCK:  # since Linux 6.14 a read that sleeps sends no SIGIO
            self.pipe.fasync_writers.kill()
        return data

    def read_again(self, task: Task, file: OpenFile, size: int, position: int) -> bytes | None:
        """Read up to `size` bytes after an exclusive wait."""
        return self.pipe.read_again(size)

    def write(self, task: Task, file: OpenFile, data: bytes, position: int) -> int:
        """Write all of `data`, as packets if the file has O_DIRECT."""
        return self.pipe.write(data, bool(file.flags & O_DIRECT), not file.flags & O_NONBLOCK)

    def ioctl(self, task: Task, file: OpenFile, request: int, argument: int) -> int:
        """Return the number of readable bytes for FIONREAD.  Raise ENOTTY for any other request."""
        if request != FIONREAD:
            raise os_error(ENOTTY)
        task.mm.write(argument, S32.pack(self.pipe.length))
        return 0

    def fasync(self, file: OpenFile, fd: int, on: bool) -> None:
        """Set or clear O_ASYNC. Each end of the pipe has its own list of files with O_ASYNC
        (`pipe_fasync()`).
        """
        if self.reading:
            self.pipe.fasync_readers.switch(file, fd, on)
        if self.writing:
            self.pipe.fasync_writers.switch(file, fd, on)

    def release(self) -> None:
        """Close this end of the pipe."""
        self.pipe.release(self.reading, self.writing)

    @property
    def description(self) -> str:
        """Return the pipe's name in /proc/self/fd, such as `pipe:[7]` (`pipefs_dname()`)."""
        return f"pipe:[{self.pipe.number}]"

    @property
    def anon_attributes(self) -> AnonAttributes:
        """The attributes of the pipe for fstat(2). A new pipe belongs to its creator and has mode 0600
        (`get_pipe_inode()`).
        """
        mode, uid, gid = self.pipe.attributes
        return AnonAttributes(mode, self.pipe.number, PIPEFS, uid, gid)
