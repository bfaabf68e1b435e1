"""V4L2 streams: a program queues buffers, the camera fills them, and the program dequeues them.

While the camera streams, a queued buffer gets a DMA descriptor immediately.  The ring has as many
descriptors as a queue can have buffers, so one is always free.  If a frame arrives while the device has no
buffer, the device drops and counts it.

A camera streams either for netlink or for V4L2.  During a V4L2 stream, the netlink command `stream-on`
fails with EBUSY. During a netlink stream, VIDIOC_STREAMON fails with EBUSY.  Both kinds of streams send
the netlink event `frame-ready`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from simkernel.driverapi.simbus import SimbusDevice, simbus_dev_is_disconnected
from simkernel.hardware.camera import registers as hw
from simkernel.uapi.errno import EBUSY, EINVAL, os_error
from simkernel.uapi.video import videodev2 as v4l2

from .device import Camera
from .ring import Descriptors, Frame
from .stream import start, stop

if TYPE_CHECKING:
    from ..video.buffer import Buffer
    from ..video.queue import Queue

TIMESTAMPS = v4l2.V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC | v4l2.V4L2_BUF_FLAG_TSTAMP_SRC_SOE
"""Flags of a buffer's timestamp: the monotonic clock, read when the exposure began (SOE: start of
exposure).
"""


class CaptureRing(Descriptors):
    """The DMA descriptors for the buffers that a program has queued. Raise ENOMEM if allocation fails.

    `done(buffer, error)` is called for each buffer that the device has filled or has failed to fill.
    """

    def __init__(self, device: SimbusDevice, done: Callable[[Buffer, bool], None]) -> None:
        super().__init__(device, v4l2.VIDEO_MAX_FRAME)
        self._done = done
        self._buffers: deque[Buffer] = deque()
        """The buffers that the device owns, in the order in which they were queued."""
        self._unread: set[Frame] = set()

    def queue(self, buffer: Buffer) -> None:
        """Pass a buffer to the device."""
        slot = (self.tail + len(self._buffers)) % len(self)
        self._buffers.append(buffer)
        self.give_to_device(slot, buffer.memory.address, buffer.length)

    def collect(self, now: int) -> list[Frame]:
        frames = []
        while self._buffers and not (descriptor := self.descriptor(self.tail))[0] & hw.DESCRIPTOR_DEVICE:
            buffer = self._buffers.popleft()
            flags, _, _, used, sequence, _, exposure_start, _, _ = descriptor
            buffer.sequence = sequence
            buffer.timestamp = exposure_start
            buffer.field = v4l2.V4L2_FIELD_NONE
            buffer.bytesused = used
            good = bool(flags & hw.DESCRIPTOR_DONE)
            if good:
                frame = buffer.private = self.frame(buffer.memory.view(used), now)
                self._unread.add(frame)
                frames.append(frame)
            self.tail = (self.tail + 1) % len(self)
            self._done(buffer, not good)
        return frames

    def device_slots(self) -> Iterator[int]:
        return ((self.tail + ahead) % len(self) for ahead in range(len(self._buffers)))

    @property
    def unread(self) -> int:
        return len(self._unread)

    def dequeued(self, buffer: Buffer) -> Frame | None:
        """Record that a program has dequeued a buffer. Return the frame in the buffer, or None if the
        buffer holds no frame.
        """
        frame, buffer.private = buffer.private, None
        self._unread.discard(frame)
        return frame if isinstance(frame, Frame) else None


class Capture:
    """The driver's operations for the buffer queue of a camera.  All callers hold the camera's mutex."""

    def __init__(self, camera: Camera) -> None:
        self._camera = camera
        self._queued_early: list[Buffer] = []
        """Buffers that were queued before the stream started."""

    @property
    def _ring(self) -> CaptureRing | None:
        ring = self._camera.ring
        return ring if isinstance(ring, CaptureRing) else None

    def queue_setup(self, queue: Queue, count: int, size: int | None) -> tuple[int, int]:
        """Accept the requested number of buffers, and return the size of a buffer for the current format.

        Raise EINVAL if the program requests a smaller size, ENODEV if the camera is unplugged.
        """
        least = self._camera.read(hw.FRAME_BYTES)
        if size is not None and size < least:
            raise os_error(EINVAL)
        return count, size or least

    def buf_queue(self, buffer: Buffer) -> None:
        """Pass a buffer to the device, or keep it until the stream starts."""
        ring = self._ring
        if ring is None:
            self._queued_early.append(buffer)
        else:
            with self._camera.lock:
                ring.queue(buffer)

    def buf_finish(self, buffer: Buffer) -> None:
        """Count the frame in a buffer as delivered, unless the stream has stopped."""
        ring = self._ring
        if ring is None:
            buffer.private = None
            return
        with self._camera.lock:
            frame = ring.dequeued(buffer)
            if frame is not None:
                frame.delivered = True
                self._camera.totals.delivered += 1
                self._camera.totals.bytes_delivered += len(frame.pixels)

    async def start_streaming(self, queue: Queue) -> None:
        """Start a V4L2 stream with the buffers that the program has already queued.

        Raise EBUSY during a netlink stream, ENODEV if the camera is unplugged, ENOMEM if allocation fails,
        ETIMEDOUT if the camera does not become ready.
        """
        camera = self._camera
        early, self._queued_early = self._queued_early, []
        camera.check_present()
        if camera.ring is not None:
            raise os_error(EBUSY)

        def make() -> CaptureRing:
            ring = CaptureRing(camera.device, camera.videodev.vb2_buffer_done)
            for buffer in early:
                ring.queue(buffer)
            return ring

        await start(camera, make)

    async def stop_streaming(self, queue: Queue) -> None:
        """Stop the stream. After that the device owns no buffer and writes to no buffer."""
        camera = self._camera
        leaving = camera.gone or simbus_dev_is_disconnected(camera.device)
        await stop(camera, "device-removed" if leaving else "stopped")
