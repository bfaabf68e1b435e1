"""A queue of buffers between a program and a driver (videobuf2-core.c): the program gives them back.

    DEQUEUED --QBUF--> QUEUED --STREAMON--> ACTIVE --the driver--> DONE or ERROR --DQBUF--> DEQUEUED

`queued` are the buffers that a program has queued and not got back, in that order; `done` those of them
that it may have back, in the order in which they came.  The lock is the driver's; whoever calls holds
it, but for `buffer_done`, which interrupt handlers call.  `done_lock` protects `done` from these.  Only with
both locks a buffer is taken out of `done`: if the holder of the driver's lock finds one there, it stays.

The driver's side, which `ops` has:

    queue_setup(queue, count, size)    (count, size): how many buffers of how many bytes; `size` is None,
                                       or what the program wants, and EINVAL if that is too small
    buf_prepare(buffer)                it is about to be queued; may be missing
    buf_queue(buffer)                  it is the driver's
    buf_finish(buffer)                 it goes back to the program; may be missing
    start_streaming(queue)             may sleep; if it fails the buffers are the queue's again
    stop_streaming(queue)              may sleep; the driver has no buffers afterwards
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Any, Final

import attrs

from simkernel.driverapi.compiler import READ_ONCE
from simkernel.driverapi.device import Device
from simkernel.driverapi.mutex import Mutex
from simkernel.driverapi.spinlock import SpinLock
from simkernel.driverapi.wait import WaitQueue, init_waitqueue_head, wake_up, wake_up_all
from simkernel.uapi.errno import EAGAIN, EBUSY, EINVAL, ENOBUFS, ENOMEM, os_error
from simkernel.uapi.video.videodev2 import V4L2_BUF_TYPE_VIDEO_CAPTURE, VIDEO_MAX_FRAME

from .buffer import Buffer, BufferState, Memory
from .lock import HeldMutex

MEMORY_UNKNOWN: Final = 0


@attrs.define(eq=False)
class Queue:
    """A capture queue (`struct vb2_queue`), one plane a buffer, of memory that is mapped.

    `timestamp_flags` are V4L2_BUF_FLAG_TIMESTAMP_.. and ..TSTAMP_SRC_..  `owner` is who has the buffers.
    """

    device: Device
    ops: Any
    lock: Mutex
    mmap_lock: Mutex
    """HeldMutex while buffers are freed or mapped.  mmap(2) does not take `lock`."""
    done_lock: SpinLock
    timestamp_flags: int
    private: Any = None
    type: int = V4L2_BUF_TYPE_VIDEO_CAPTURE
    max_num_buffers: int = VIDEO_MAX_FRAME
    buffers: dict[int, Buffer] = attrs.field(factory=dict)
    orphans: list[Memory] = attrs.field(factory=list)
    """Memory of buffers that are no more, which was mapped when they were freed."""
    memory: int = MEMORY_UNKNOWN
    queued: list[Buffer] = attrs.field(factory=list)
    done: deque[Buffer] = attrs.field(factory=deque)
    done_wq: WaitQueue = attrs.field(factory=lambda: init_waitqueue_head("a frame"))
    owner: Any = None
    streaming: bool = False
    waiting_for_buffers: bool = False
    """Nothing was queued since buffers were asked for, or the stream was stopped."""
    waiting_in_dqbuf: bool = False

    @property
    def busy(self) -> bool:
        """Whether there are buffers, so that the format must not change (`vb2_is_busy()`)."""
        return bool(self.buffers)

    def find(self, index: int) -> Buffer:
        """A buffer by its index.  EINVAL."""
        if index not in self.buffers:
            raise os_error(EINVAL)
        return self.buffers[index]

    # -- buffers --------------------------------------------------------------

    async def request(self, memory: int, count: int) -> int:
        """Have `count` buffers in place of those there are; how many there are then (`vb2_core_reqbufs()`).

        EBUSY while streaming, or for more than none while somebody waits for a frame.  ENOMEM.
        """
        if self.streaming or (self.waiting_in_dqbuf and count):
            raise os_error(EBUSY)
        if count == 0 or self.buffers:
            async with self.mmap_lock:
                await self.cancel()
                self.free(tuple(self.buffers))
            if count == 0:
                return 0
        self.memory = memory
        try:
            wanted = min(count, self.max_num_buffers)
            count, size = self.ops.queue_setup(self, wanted, None)
            made = self._allocate(count, size)
        except OSError:
            self.memory = MEMORY_UNKNOWN
            raise
        self.waiting_for_buffers = True
        return len(made)

    def create(self, memory: int, count: int, size: int) -> tuple[int, int]:
        """Have `count` buffers more, of `size` bytes: index of the first, and how many they are.

        `vb2_core_create_bufs()`.  ENOBUFS if there are as many as there may be; EINVAL for other memory or
        too few bytes; ENOMEM.
        """
        if len(self.buffers) == self.max_num_buffers:
            raise os_error(ENOBUFS)
        first = not self.buffers
        if first:
            if self.waiting_in_dqbuf and count:
                raise os_error(EBUSY)
            self.memory = memory
            self.waiting_for_buffers = True
        elif self.memory != memory:
            raise os_error(EINVAL)
        try:
            wanted = min(count, self.max_num_buffers - len(self.buffers))
            count, size = self.ops.queue_setup(self, wanted, size)
            made = self._allocate(count, size)
        except OSError:
            if first:
                self.memory = MEMORY_UNKNOWN
            raise
        return made[0].index, len(made)

    async def remove(self, start: int, count: int) -> None:
        """Free buffers (`vb2_core_remove_bufs()`).  EINVAL where there is none, EBUSY where one is queued."""
        if count > len(self.buffers) or start > self.max_num_buffers - count:
            raise os_error(EINVAL)
        indexes = range(start, start + count)
        async with self.mmap_lock:
            for index in indexes:
                if self.find(index).state is not BufferState.DEQUEUED:
                    raise os_error(EBUSY)
            self.free(indexes)

    def _allocate(self, count: int, size: int) -> list[Buffer]:
        """As many as there is memory for, one after the other (`__vb2_queue_alloc()`).  ENOMEM for none."""
        count = min(count, self.max_num_buffers - len(self.buffers))
        made: list[Buffer] = []
        index = self._first_gap(count)
        while index is None and count:
            count -= 1
            index = self._first_gap(count)
        for number in range(count):
            assert index is not None
            try:
                memory = Memory(self.device, size)
            except OSError:
                break
            buffer = Buffer(self, index + number, size, memory)
            self.buffers[buffer.index] = buffer
            made.append(buffer)
        if not made:
            raise os_error(ENOMEM)
        return made

    def _first_gap(self, count: int) -> int | None:
        """The lowest index that `count` buffers in a row are free from."""
        for index in range(self.max_num_buffers - count + 1):
            if not any(index + number in self.buffers for number in range(count)):
                return index
        return None

    def free(self, indexes: Iterable[int]) -> None:
        """Forget buffers (`__vb2_queue_free()`); `mmap_lock` is held."""
        for index in indexes:
            memory = self.buffers.pop(index).memory
            memory.put()
            self.orphans = [orphan for orphan in self.orphans if orphan.used]
            if memory.used:
                self.orphans.append(memory)
        if not self.buffers:
            self.memory = MEMORY_UNKNOWN
            self.queued.clear()

    # -- queueing -------------------------------------------------------------

    def prepare(self, buffer: Buffer) -> None:
        """Get a buffer ready before it is queued (`__buf_prepare()`)."""
        if buffer.prepared:
            return
        buffer.timestamp = buffer.sequence = buffer.bytesused = 0
        prepare = getattr(self.ops, "buf_prepare", None)
        if prepare is not None:
            prepare(buffer)
        buffer.prepared = True

    def enqueue(self, buffer: Buffer) -> None:
        """Take a buffer from the program (`vb2_core_qbuf()`).  EINVAL if it has it not."""
        if buffer.state is not BufferState.DEQUEUED:
            raise os_error(EINVAL)
        self.prepare(buffer)
        self.queued.append(buffer)
        self.waiting_for_buffers = False
        buffer.state = BufferState.QUEUED
        if self.streaming:
            self._enqueue_in_driver(buffer)

    def _enqueue_in_driver(self, buffer: Buffer) -> None:
        """Let the driver have a buffer (`__enqueue_in_driver()`)."""
        buffer.state = BufferState.ACTIVE
        self.ops.buf_queue(buffer)

    def buffer_done(self, buffer: Buffer, error: bool) -> None:
        """The driver is done with a buffer (`vb2_buffer_done()`); in any context."""
        with self.done_lock:
            assert buffer.state is BufferState.ACTIVE
            buffer.state = BufferState.ERROR if error else BufferState.DONE
            self.done.append(buffer)
        wake_up(self.done_wq)

    async def dequeue(self, nonblocking: bool, held: HeldMutex) -> Buffer:
        """The next buffer that is done, which is still the queue's: see `took` (`__vb2_get_done_vb()`).

        EINVAL when not streaming, also if that ends meanwhile.  EBUSY if another waits already.  EAGAIN;
        EINTR.
        """
        while True:
            if self.waiting_in_dqbuf:
                raise os_error(EBUSY)
            if not self.streaming:
                raise os_error(EINVAL)
            if READ_ONCE(self.done):  # list_empty(): the handler only adds to it
                with self.done_lock:
                    return self.done.popleft()
            if nonblocking:
                raise os_error(EAGAIN)
            self.waiting_in_dqbuf = True
            try:
                await held.wait(self.done_wq, self._may_dequeue)
            finally:
                self.waiting_in_dqbuf = False

    def _may_dequeue(self) -> bool:
        """The condition of `__vb2_wait_for_done_vb()`, without a lock: `dequeue` checks again with it."""
        return bool(READ_ONCE(self.done)) or not READ_ONCE(self.streaming)

    def finish(self, buffer: Buffer) -> None:
        """A buffer goes back to the program."""
        finish = getattr(self.ops, "buf_finish", None)
        if finish is not None:
            finish(buffer)
        buffer.prepared = False

    def dequeued(self, buffer: Buffer) -> None:
        """The program has a buffer again (`__vb2_dqbuf()`)."""
        self.queued.remove(buffer)
        buffer.state = BufferState.DEQUEUED

    # -- streaming ------------------------------------------------------------

    async def stream_on(self, type: int) -> None:
        """Begin (`vb2_core_streamon()`).  EINVAL for another type or no buffers; what the driver says."""
        if type != self.type:
            raise os_error(EINVAL)
        if self.streaming:
            return
        if not self.buffers:
            raise os_error(EINVAL)
        for buffer in self.queued:
            self._enqueue_in_driver(buffer)
        try:
            await self.ops.start_streaming(self)
        except BaseException:
            for buffer in self.queued:
                buffer.state = BufferState.QUEUED
            raise
        self.streaming = True

    async def stream_off(self, type: int) -> None:
        """End, and let the program have all buffers (`vb2_core_streamoff()`).  EINVAL for another type."""
        if type != self.type:
            raise os_error(EINVAL)
        await self.cancel()
        self.waiting_for_buffers = True

    async def cancel(self) -> None:
        """End; who waits for a frame waits no more (`__vb2_queue_cancel()`)."""
        if self.streaming:
            await self.ops.stop_streaming(self)
        self.reset()

    def reset(self) -> None:
        """The driver has no buffers any more: neither has the queue."""
        self.streaming = False
        self.queued.clear()
        self.done.clear()
        wake_up_all(self.done_wq)
        for buffer in self.buffers.values():
            if buffer.prepared:
                self.finish(buffer)
            buffer.state = BufferState.DEQUEUED

    def release(self) -> None:
        """Its owner is gone, and there is no stream (`vb2_core_queue_release()`); `mmap_lock` is held."""
        self.reset()
        self.free(tuple(self.buffers))
        self.owner = None

    def free_orphans(self) -> None:
        """The device goes: memory that programs still have mapped is theirs alone."""
        for memory in self.orphans:
            memory.free()
        self.orphans.clear()
