"""A queue of buffers that a program and a driver exchange (videobuf2-core.c).

    DEQUEUED --QBUF--> QUEUED --STREAMON--> ACTIVE --the driver--> DONE or ERROR --DQBUF--> DEQUEUED

`queued` has the buffers that the program has queued and not dequeued, in the order of queueing.  `done`
has those of them that can be dequeued, in the order of completion.

The caller holds the driver's lock, except in `buffer_done`, which interrupt handlers call.  `done_lock`
protects `done` from interrupt handlers.  A buffer is removed from `done` only under both locks, so a task
that holds the driver's lock can rely on a buffer that it has seen there.

The driver's operations in `ops`:

    queue_setup(queue, count, size)    return (count, size): the number of buffers and their size in bytes;
                                       `size` is None or the size that the program requests; raise EINVAL
                                       if it is too small
    buf_prepare(buffer)                called before the buffer is queued; optional
    buf_queue(buffer)                  pass the buffer to the driver
    buf_finish(buffer)                 called before the buffer returns to the program; optional
    start_streaming(queue)             may sleep; if it fails, the queue owns the buffers again
    stop_streaming(queue)              may sleep; afterwards the driver owns no buffers
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
    """A capture queue of memory-mapped buffers with one plane each (`struct vb2_queue`).

    `timestamp_flags` are V4L2_BUF_FLAG_TIMESTAMP_* and V4L2_BUF_FLAG_TSTAMP_SRC_*.  `owner` is the open
    file that has allocated the buffers.
    """

    device: Device
    ops: Any
    lock: Mutex
    mmap_lock: Mutex
    """Protects the buffers while they are freed or mapped. mmap(2) takes only this mutex, not `lock`."""
    done_lock: SpinLock
    timestamp_flags: int
    private: Any = None
    type: int = V4L2_BUF_TYPE_VIDEO_CAPTURE
    max_num_buffers: int = VIDEO_MAX_FRAME
    buffers: dict[int, Buffer] = attrs.field(factory=dict)
    orphans: list[Memory] = attrs.field(factory=list)
    """Memory of freed buffers that programs still have mapped."""
    memory: int = MEMORY_UNKNOWN
    queued: list[Buffer] = attrs.field(factory=list)
    done: deque[Buffer] = attrs.field(factory=deque)
    done_wq: WaitQueue = attrs.field(factory=lambda: init_waitqueue_head("a frame"))
    owner: Any = None
    streaming: bool = False
    waiting_for_buffers: bool = False
    """True after buffers are allocated or the stream is stopped, until a program queues a buffer. While it is
    True, poll(2) reports POLLERR.
    """
    waiting_in_dqbuf: bool = False

    @property
    def busy(self) -> bool:
        """True if the queue has buffers, so the format must not change (`vb2_is_busy()`)."""
        return bool(self.buffers)

    def find(self, index: int) -> Buffer:
        """Return the buffer with this index.  Raise EINVAL if it does not exist."""
        if index not in self.buffers:
            raise os_error(EINVAL)
        return self.buffers[index]

    # -- buffers --------------------------------------------------------------

    async def request(self, memory: int, count: int) -> int:
        """Replace all buffers by `count` new ones (`vb2_core_reqbufs()`). Return the number of buffers
        allocated, which can differ from `count`.

        Raise EBUSY while streaming, or if `count` is not 0 while a task waits for a frame.  Raise ENOMEM
        if no buffer can be allocated.
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
        """Add `count` buffers of `size` bytes (`vb2_core_create_bufs()`). Return the index of the first new
        buffer, and the number of buffers added, which can differ from `count`.

        Raise ENOBUFS if the queue is full, EINVAL if the memory type differs or `size` is too small,
        ENOMEM if no buffer can be allocated.
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
        """Free `count` buffers from index `start` on (`vb2_core_remove_bufs()`).

        Raise EINVAL if a buffer does not exist, EBUSY if one is not DEQUEUED.
        """
        if count > len(self.buffers) or start > self.max_num_buffers - count:
            raise os_error(EINVAL)
        indexes = range(start, start + count)
        async with self.mmap_lock:
            for index in indexes:
                if self.find(index).state is not BufferState.DEQUEUED:
                    raise os_error(EBUSY)
            self.free(indexes)

    def _allocate(self, count: int, size: int) -> list[Buffer]:
        """Allocate up to `count` buffers, fewer if memory or indexes run out (`__vb2_queue_alloc()`).

        Raise ENOMEM if no buffer can be allocated.
        """
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
        """Return the lowest index from which `count` consecutive indexes are free, or None."""
        for index in range(self.max_num_buffers - count + 1):
            if not any(index + number in self.buffers for number in range(count)):
                return index
        return None

    def free(self, indexes: Iterable[int]) -> None:
        """Remove buffers from the queue (`__vb2_queue_free()`).  The caller holds `mmap_lock`."""
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
        """Call the driver's `buf_prepare` for a buffer, unless the buffer is already prepared
        (`__buf_prepare()`).
        """
        if buffer.prepared:
            return
        buffer.timestamp = buffer.sequence = buffer.bytesused = 0
        prepare = getattr(self.ops, "buf_prepare", None)
        if prepare is not None:
            prepare(buffer)
        buffer.prepared = True

    def enqueue(self, buffer: Buffer) -> None:
        """Queue a buffer (`vb2_core_qbuf()`).  Raise EINVAL if the buffer's state is not DEQUEUED."""
        if buffer.state is not BufferState.DEQUEUED:
            raise os_error(EINVAL)
        self.prepare(buffer)
        self.queued.append(buffer)
        self.waiting_for_buffers = False
        buffer.state = BufferState.QUEUED
        if self.streaming:
            self._enqueue_in_driver(buffer)

    def _enqueue_in_driver(self, buffer: Buffer) -> None:
        """Pass a buffer to the driver (`__enqueue_in_driver()`)."""
        buffer.state = BufferState.ACTIVE
        self.ops.buf_queue(buffer)

    def buffer_done(self, buffer: Buffer, error: bool) -> None:
        """Take a buffer back from the driver and add it to the completed buffers (`vb2_buffer_done()`).

        Interrupt handlers may call this.
        """
        with self.done_lock:
            assert buffer.state is BufferState.ACTIVE
            buffer.state = BufferState.ERROR if error else BufferState.DONE
            self.done.append(buffer)
        wake_up(self.done_wq)

    async def dequeue(self, nonblocking: bool, held: HeldMutex) -> Buffer:
        """Remove and return the next completed buffer; block until one is ready (`__vb2_get_done_vb()`).

        The queue owns the buffer until `dequeued` is called.  Raise EINVAL if the queue does not stream or
        stops streaming, EBUSY if another task waits, EAGAIN if `nonblocking` is True and no buffer is
        ready, EINTR if a signal arrives.
        """
        while True:
            if self.waiting_in_dqbuf:
                raise os_error(EBUSY)
            if not self.streaming:
                raise os_error(EINVAL)
            # This check needs no lock: interrupt handlers only add buffers to `done` (Linux: list_empty()).
            if READ_ONCE(self.done):
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
        """Return True if a blocked dequeue can continue (`__vb2_wait_for_done_vb()`).

        It takes no lock: `dequeue` checks again under the lock.
        """
        return bool(READ_ONCE(self.done)) or not READ_ONCE(self.streaming)

    def finish(self, buffer: Buffer) -> None:
        """Call the driver's `buf_finish` before a buffer returns to the program."""
        finish = getattr(self.ops, "buf_finish", None)
        if finish is not None:
            finish(buffer)
        buffer.prepared = False

    def dequeued(self, buffer: Buffer) -> None:
        """Record that a buffer returns to the program (`__vb2_dqbuf()`)."""
        self.queued.remove(buffer)
        buffer.state = BufferState.DEQUEUED

    # -- streaming ------------------------------------------------------------

    async def stream_on(self, type: int) -> None:
        """Pass the queued buffers to the driver and start streaming (`vb2_core_streamon()`).

        Raise EINVAL if the type is wrong or the queue has no buffers, and any error of the driver.
        """
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
        """Stop streaming and return all buffers to the program (`vb2_core_streamoff()`).

        Raise EINVAL if the type is wrong.
        """
        if type != self.type:
            raise os_error(EINVAL)
        await self.cancel()
        self.waiting_for_buffers = True

    async def cancel(self) -> None:
        """Stop streaming and wake the tasks that wait for a frame (`__vb2_queue_cancel()`)."""
        if self.streaming:
            await self.ops.stop_streaming(self)
        self.reset()

    def reset(self) -> None:
        """Return all buffers to the program. After this the driver owns no buffer."""
        self.streaming = False
        self.queued.clear()
        self.done.clear()
        wake_up_all(self.done_wq)
        for buffer in self.buffers.values():
            if buffer.prepared:
                self.finish(buffer)
            buffer.state = BufferState.DEQUEUED

    def release(self) -> None:
        """Free all buffers of the queue when the file that owns them is closed (`vb2_core_queue_release()`).

        The stream is stopped, and the caller holds `mmap_lock`.
        """
        self.reset()
        self.free(tuple(self.buffers))
        self.owner = None

    def free_orphans(self) -> None:
        """Free the DMA memory of `orphans`, the freed buffers that programs still have mapped.

        The device is being removed.  Programs keep their mappings.
        """
        for memory in self.orphans:
            memory.free()
        self.orphans.clear()
