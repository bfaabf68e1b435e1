"""The file operations of a video device, without the ioctls: open, mmap, poll, release (v4l2-dev.c,
vb2_fop_*).
"""

from __future__ import annotations

from collections.abc import Awaitable
from functools import partial

from simkernel.driverapi.fs import File, FileOperations, later
from simkernel.driverapi.ktime import ktime_get
from simkernel.driverapi.mm import VmArea, page_align
from simkernel.driverapi.mutex import mutex_guarded, mutex_trylock, mutex_unlock
from simkernel.driverapi.poll import PollTable, poll_requested_events, poll_wait
from simkernel.uapi.errno import EINVAL, ENODEV, os_error
from simkernel.uapi.mman import PROT_READ
from simkernel.uapi.poll import POLLERR, POLLHUP, POLLIN, POLLPRI, POLLRDNORM
from simkernel.uapi.video.videodev2 import V4L2_MEMORY_MMAP

from .buffer import OFFSET_MASK, OFFSET_UNIT
from .device import VideoCore, VideoDevice, put
from .events import FileHandle
from .ioctl import video_ioctl2
from .queue import Queue


def operations(core: VideoCore) -> FileOperations:
    """Return the functions that execute the system calls on a video device's open files (`v4l2_fops`).

    They lack read(2), which raises EINVAL, and the device lacks the capability V4L2_CAP_READWRITE.
    """
    return FileOperations(
        open=partial(open_file, core), release=partial(release, core), ioctl=ioctl, mmap=mmap, poll=poll
    )


def open_file(core: VideoCore, file: File) -> None:
    """Open a video device (`v4l2_open()`, `v4l2_fh_open()`).  Raise ENODEV if it is unregistered."""
    device: VideoDevice = file.cdev.data
    fh = file.private_data = FileHandle(device, partial(ktime_get, device.owner))
    with core.lock:
        if not device.registered:
            raise os_error(ENODEV)
        device.add(fh)


def release(core: VideoCore, file: File) -> Awaitable[None] | None:
    """Close a file and free the buffers if the file owns them (`vb2_fop_release()`).

    Sleep only if a stream must be stopped or another task holds a mutex.
    """
    fh: FileHandle = file.private_data
    device: VideoDevice = fh.device
    if not mutex_trylock(device.lock):
        return later(_release, core, fh)
    try:
        streams = device.queue.streaming and device.queue.owner is fh
        if streams or not mutex_trylock(device.queue.mmap_lock):
            return later(_release, core, fh)
        try:
            _close(core, fh)
        finally:
            mutex_unlock(device.queue.mmap_lock)
    finally:
        mutex_unlock(device.lock)
    return None


async def _release(core: VideoCore, fh: FileHandle) -> None:
    queue = fh.device.queue
    async with fh.device.lock:
        if queue.owner is fh:
            await queue.cancel()
        async with queue.mmap_lock:
            _close(core, fh)


def _close(core: VideoCore, fh: FileHandle) -> None:
    """Close a file of a video device. The caller holds the device's mutex and the queue's `mmap_lock`."""
    device: VideoDevice = fh.device
    if device.queue.owner in (None, fh):
        device.queue.release()
    device.remove(fh)
    put(core, device)


def ioctl(file: File, request: int, argument: int) -> Awaitable[int]:
    """Execute an ioctl (`v4l2_ioctl()`).  Raise ENODEV if the device is unregistered."""
    if not file.private_data.device.registered:
        raise os_error(ENODEV)
    return video_ioctl2(file, request, argument)


def mmap(file: File, area: VmArea) -> Awaitable[None] | None:
    """Map the buffer that the offset selects (`vb2_mmap()`).

    Raise ENODEV if the device is unregistered, EINVAL if the offset, the length or the protection is
    wrong.
    """
    device: VideoDevice = file.private_data.device
    if not device.registered:
        raise os_error(ENODEV)
    return mutex_guarded(device.queue.mmap_lock, _map, device.queue, area)


def _map(queue: Queue, area: VmArea) -> None:
    index, rest = divmod(area.offset & OFFSET_MASK, OFFSET_UNIT)
    if not area.shared or not area.prot & PROT_READ or queue.memory != V4L2_MEMORY_MMAP or rest:
        raise os_error(EINVAL)
    buffer = queue.find(index)
    if area.length > page_align(buffer.length):
        raise os_error(EINVAL)
    buffer.memory.map(area)


def poll(file: File, table: PollTable) -> int:
    """Return the poll events: POLLIN for a frame, POLLPRI for an event (`v4l2_poll()`, `vb2_poll()`)."""
    fh: FileHandle = file.private_data
    device: VideoDevice = fh.device
    poll_wait(device.queue.done_wq, table)
    poll_wait(fh.wait, table)
    if not device.registered:
        return POLLERR | POLLHUP | POLLPRI
    return _poll_frames(device.queue, table) | (POLLPRI if fh.available else 0)


def _poll_frames(queue: Queue, table: PollTable) -> int:
    """Return POLLIN if a frame is ready, POLLERR if no frame can arrive (`vb2_core_poll()`)."""
    if not poll_requested_events(table) & (POLLIN | POLLRDNORM):
        return 0
    if not queue.streaming or queue.waiting_for_buffers:
        return POLLERR
    with queue.done_lock:
        return POLLIN | POLLRDNORM if queue.done else 0
