"""The ioctls for buffers: they convert between `struct v4l2_buffer` and a queue's buffers (videobuf2-v4l2.c).

The file that allocates buffers owns the queue until it frees them or is closed.  Other files get EBUSY.
"""

from __future__ import annotations

from typing import Final

from simkernel.driverapi.compiler import READ_ONCE, data_race
from simkernel.driverapi.trace import trace_follow
from simkernel.uapi.errno import EBADR, EINVAL, os_error
from simkernel.uapi.fcntl import O_NONBLOCK
from simkernel.uapi.video import structures as s
from simkernel.uapi.video import videodev2 as v4l2

from .buffer import Buffer, BufferState
from .call import IoctlCall, check_owner
from .format_ioctls import Number, sanitized
from .queue import Queue

KERNEL_FLAGS: Final = (
    v4l2.V4L2_BUF_FLAG_MAPPED
    | v4l2.V4L2_BUF_FLAG_QUEUED
    | v4l2.V4L2_BUF_FLAG_DONE
    | v4l2.V4L2_BUF_FLAG_ERROR
    | v4l2.V4L2_BUF_FLAG_PREPARED
    | v4l2.V4L2_BUF_FLAG_IN_REQUEST
    | v4l2.V4L2_BUF_FLAG_REQUEST_FD
    | v4l2.V4L2_BUF_FLAG_TIMESTAMP_MASK
    | v4l2.V4L2_BUF_FLAG_TSTAMP_SRC_MASK
)
"""Flags that only the kernel sets (V4L2_BUFFER_MASK_FLAGS and the timestamp source)."""
NOT_FOR_CAPTURE: Final = (
    v4l2.V4L2_BUF_FLAG_PFRAME
    | v4l2.V4L2_BUF_FLAG_BFRAME
    | v4l2.V4L2_BUF_FLAG_KEYFRAME
    | v4l2.V4L2_BUF_FLAG_TIMECODE
    | v4l2.V4L2_BUF_FLAG_M2M_HOLD_CAPTURE_BUF
    | v4l2.V4L2_BUF_FLAG_LAST
)
"""Flags that a program cannot set on a capture buffer (V4L2_BUFFER_OUT_FLAGS and V4L2_BUF_FLAG_LAST)."""
CACHE_HINTS: Final = v4l2.V4L2_BUF_FLAG_NO_CACHE_INVALIDATE | v4l2.V4L2_BUF_FLAG_NO_CACHE_CLEAN
"""Flags of cache hints. The queue clears them, because it does not set `allow_cache_hints`."""

STATE_FLAGS: Final = {
    BufferState.QUEUED: v4l2.V4L2_BUF_FLAG_QUEUED,
    BufferState.ACTIVE: v4l2.V4L2_BUF_FLAG_QUEUED,
    BufferState.DONE: v4l2.V4L2_BUF_FLAG_DONE,
    BufferState.ERROR: v4l2.V4L2_BUF_FLAG_DONE | v4l2.V4L2_BUF_FLAG_ERROR,
    BufferState.DEQUEUED: 0,
}
CAPABILITIES: Final = (
    v4l2.V4L2_BUF_CAP_SUPPORTS_MMAP
    | v4l2.V4L2_BUF_CAP_SUPPORTS_ORPHANED_BUFS
    | v4l2.V4L2_BUF_CAP_SUPPORTS_REMOVE_BUFS
)


def check_memory(queue: Queue, memory: int, type: int) -> None:
    """Raise EINVAL if the memory is not V4L2_MEMORY_MMAP, or if the buffer type differs from the queue's type
    (`vb2_verify_memory_type()`).
    """
    if memory != v4l2.V4L2_MEMORY_MMAP or type != queue.type:
        raise os_error(EINVAL)


def fill(buffer: Buffer, arg: s.V4l2Buffer) -> None:
    """Fill in the description of a buffer (`__fill_v4l2_buffer()`).

    If the driver owns the buffer, it can complete at the same time.  Then the program gets old and new
    values mixed, as on Linux.  They are valid only after VIDIOC_DQBUF.
    """
    queue: Queue = buffer.queue
    state = READ_ONCE(buffer.state)
    flags = buffer.flags | queue.timestamp_flags | STATE_FLAGS[state]
    if state is BufferState.DEQUEUED and buffer.prepared:
        flags |= v4l2.V4L2_BUF_FLAG_PREPARED
    if buffer.memory.mapped:
        flags |= v4l2.V4L2_BUF_FLAG_MAPPED
    arg.index = buffer.index
    arg.type = queue.type
    arg.memory = queue.memory
    arg.bytesused = data_race(buffer.bytesused)
    arg.flags = flags
    arg.field = data_race(buffer.field)
    arg.tv_sec, arg.tv_usec = divmod(data_race(buffer.timestamp) // 1000, 1_000_000)
    arg.timecode = b""
    arg.sequence = data_race(buffer.sequence)
    arg.length = buffer.length
    arg.m = buffer.offset
    arg.reserved2 = arg.request_fd = 0


def _take(queue: Queue, arg: s.V4l2Buffer, preparing: bool) -> Buffer:
    """Check a request to queue or prepare a buffer, and return the buffer (`vb2_queue_or_prepare_buf()`)."""
    buffer = queue.find(arg.index)
    request = arg.flags & v4l2.V4L2_BUF_FLAG_REQUEST_FD
    if arg.type != queue.type or arg.memory != queue.memory:
        raise os_error(EINVAL)
    if request and not preparing and buffer.state is not BufferState.DEQUEUED:
        raise os_error(EINVAL)
    if not buffer.prepared:
        arg.flags &= ~CACHE_HINTS
        buffer.sequence = 0
        buffer.flags = arg.flags & ~KERNEL_FLAGS & ~NOT_FOR_CAPTURE
    if request and not preparing:
        raise os_error(EBADR)  # the request API (for codecs) is not modelled
    return buffer


# -- ioctls -------------------------------------------------------------------


async def reqbufs(call: IoctlCall, arg: s.V4l2Requestbuffers) -> None:
    """VIDIOC_REQBUFS: replace all buffers (`v4l_reqbufs()`, `vb2_ioctl_reqbufs()`)."""
    queue = call.device.queue
    arg.reserved = b""
    arg.flags = 0
    arg.capabilities = CAPABILITIES
    check_memory(queue, arg.memory, arg.type)
    check_owner(call)
    arg.count = await queue.request(arg.memory, arg.count)
    queue.owner = call.fh if arg.count else None


def create_bufs(call: IoctlCall, arg: s.V4l2CreateBuffers) -> None:
    """VIDIOC_CREATE_BUFS: add buffers (`v4l_create_bufs()`, `vb2_ioctl_create_bufs()`).

    If `count` is 0, it only reports the capabilities.
    """
    queue = call.device.queue
    arg.reserved = b""
    pix = sanitized(arg.fmt)
    pix.priv = v4l2.V4L2_PIX_FMT_PRIV_MAGIC
    arg.fmt = pix.pack() + arg.fmt[s.V4l2PixFormat.SIZE :]
    arg.index = len(queue.buffers)
    arg.flags = 0
    arg.max_num_buffers = queue.max_num_buffers
    arg.capabilities = CAPABILITIES | v4l2.V4L2_BUF_CAP_SUPPORTS_MAX_NUM_BUFFERS
    check_memory(queue, arg.memory, arg.type)
    if arg.count == 0:
        return
    check_owner(call)
    if pix.sizeimage == 0:
        raise os_error(EINVAL)
    arg.index, arg.count = queue.create(arg.memory, arg.count, pix.sizeimage)
    queue.owner = call.fh


async def remove_bufs(call: IoctlCall, arg: s.V4l2RemoveBuffers) -> None:
    """VIDIOC_REMOVE_BUFS: free some buffers (`vb2_ioctl_remove_bufs()`)."""
    if arg.count:
        check_owner(call)
        await call.device.queue.remove(arg.index, arg.count)


def querybuf(call: IoctlCall, arg: s.V4l2Buffer) -> None:
    """VIDIOC_QUERYBUF: describe a buffer, even if another file owns the queue (`vb2_ioctl_querybuf()`)."""
    fill(call.device.queue.find(arg.index), arg)


def prepare_buf(call: IoctlCall, arg: s.V4l2Buffer) -> None:
    """VIDIOC_PREPARE_BUF: prepare a buffer for queueing (`vb2_ioctl_prepare_buf()`)."""
    queue = call.device.queue
    if arg.flags & v4l2.V4L2_BUF_FLAG_REQUEST_FD:
        raise os_error(EINVAL)
    buffer = _take(queue, arg, preparing=True)
    if buffer.state is not BufferState.DEQUEUED or buffer.prepared:
        raise os_error(EINVAL)
    queue.prepare(buffer)
    fill(buffer, arg)


def qbuf(call: IoctlCall, arg: s.V4l2Buffer) -> None:
    """VIDIOC_QBUF: queue a buffer (`vb2_ioctl_qbuf()`)."""
    queue = call.device.queue
    buffer = _take(queue, arg, preparing=False)
    queue.enqueue(buffer)
    fill(buffer, arg)


async def dqbuf(call: IoctlCall, arg: s.V4l2Buffer) -> None:
    """VIDIOC_DQBUF: dequeue a completed buffer; block until one is ready (`vb2_ioctl_dqbuf()`)."""
    queue = call.device.queue
    buffer = await queue.dequeue(bool(call.file.flags & O_NONBLOCK), call.held)
    trace_follow(call.device.owner, buffer.flow)
    queue.finish(buffer)
    fill(buffer, arg)
    queue.dequeued(buffer)
    arg.flags &= ~v4l2.V4L2_BUF_FLAG_DONE


async def streamon(call: IoctlCall, arg: Number) -> None:
    """VIDIOC_STREAMON: start streaming (`vb2_ioctl_streamon()`)."""
    await call.device.queue.stream_on(arg.value)


async def streamoff(call: IoctlCall, arg: Number) -> None:
    """VIDIOC_STREAMOFF: stop streaming (`vb2_ioctl_streamoff()`)."""
    await call.device.queue.stream_off(arg.value)
