"""video: the video subsystem, which drivers of cameras share (Linux's videodev and videobuf2).

It is no driver: it serves no device.  A driver says what its device can do, and the subsystem makes
/dev/videoN of that, answers the requests that are the same for all, and keeps the buffers.

Read it in this order:
    __init__.py         what drivers are given
    device.py           a device, its numbers, who may do what
    operations.py       open, map, wait, close
    ioctl.py            the table of requests, and how an argument comes and goes
    format_ioctls.py    the requests for the device and its formats, and the driver's operations
    queue.py, buffer.py the buffers' life; queue_ioctls.py: the requests for it
    controls.py         controls; control_ioctls.py: the requests for them and for events
    events.py           an open file and the events in it
    lock.py             waiting without the lock
Requests and structures are those of simkernel/uapi/video; the rules are Linux's, each named beside its place.
"""

from __future__ import annotations

from typing import Any

from simkernel.driverapi.device import Device, class_register, class_unregister
from simkernel.driverapi.fs import register_chrdev_region, unregister_chrdev_region
from simkernel.driverapi.module import Module, ThisModule
from simkernel.driverapi.mutex import Mutex, mutex_init
from simkernel.driverapi.spinlock import spin_lock_init
from simkernel.driverapi.trace import trace_flow
from simkernel.uapi.video.videodev2 import V4L2_CAP_STREAMING, V4L2_CAP_VIDEO_CAPTURE

from .buffer import Buffer
from .controls import Control, ControlHandler
from .device import (
    ATTRIBUTES,
    NAME,
    VIDEO_MAJOR,
    VIDEO_NUM_DEVICES,
    VideoCore,
    VideoDevice,
    register,
    unregister,
)
from .operations import operations
from .queue import Queue

NUMBERS = (VIDEO_MAJOR, 0)


class Videodev(VideoCore):
    """What drivers import: the methods of the loaded module."""

    # -- devices ----------------------------------------------------------------

    def video_register_device(
        self,
        owner: ThisModule,
        parent: Device,
        name: str,
        bus_info: str,
        ops: Any,
        controls: ControlHandler,
        queue: Queue,
        lock: Mutex,
    ) -> VideoDevice:
        """Make /dev/videoN of a camera; see format_ioctls.py for `ops`.  `lock` is held for each request.

        ENFILE if there are too many.
        """
        capabilities = V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_STREAMING
        fh_lock = spin_lock_init(self.this, f"files of {parent.name}")
        device = VideoDevice(owner, parent, name, bus_info, capabilities, ops, controls, queue, lock, fh_lock)
        register(self, device, operations(self))
        return device

    async def video_unregister_device(self, device: VideoDevice) -> None:
        """Take it away, also from those who have it open.  Harmless if it is gone."""
        await unregister(self, device)

    # -- controls ---------------------------------------------------------------

    def v4l2_ctrl_handler_init(self) -> ControlHandler:
        """What controls are added to."""
        return ControlHandler()

    def v4l2_ctrl_new_std(
        self,
        handler: ControlHandler,
        ops: Any,
        id: int,
        minimum: int,
        maximum: int,
        step: int,
        default: int,
    ) -> Control:
        """A number that can be adjusted; see controls.py for `ops`."""
        return handler.add(ops, id, minimum, maximum, step, default)

    def v4l2_ctrl_new_std_menu_items(
        self, handler: ControlHandler, ops: Any, id: int, default: int, menu: tuple[str, ...]
    ) -> Control:
        """A choice among names."""
        return handler.add(ops, id, 0, len(menu) - 1, 1, default, menu)

    def v4l2_ctrl_handler_setup(self, handler: ControlHandler) -> None:
        """Adjust the device as the controls say."""
        handler.setup()

    def v4l2_ctrl_s_ctrl(self, control: Control, value: int) -> None:
        """Set a control on behalf of nobody who has the device open; all are told."""
        control.set(value)

    # -- buffers ----------------------------------------------------------------

    def vb2_queue_init(
        self, device: Device, ops: Any, lock: Mutex, timestamp_flags: int, private: Any
    ) -> Queue:
        """A queue of buffers that `device` reaches; see queue.py for `ops`."""
        mmap_lock = mutex_init(self.this, f"mmap of {device.name}")
        done_lock = spin_lock_init(self.this, f"done_lock of {device.name}")
        return Queue(device, ops, lock, mmap_lock, done_lock, timestamp_flags, private)

    def vb2_buffer_done(self, buffer: Buffer, error: bool) -> None:
        """There is a frame in a buffer, or, with `error`, none that is good."""
        buffer.flow = trace_flow(self.this)
        buffer.queue.buffer_done(buffer, error)


MODULE = Module(
    license="GPL",
    version="1.0",
    author="The simkernel authors",
    description="Video for Linux: capture devices, their requests, controls and buffers",
    exports_gpl=(
        Videodev.video_register_device,
        Videodev.video_unregister_device,
        Videodev.v4l2_ctrl_handler_init,
        Videodev.v4l2_ctrl_new_std,
        Videodev.v4l2_ctrl_new_std_menu_items,
        Videodev.v4l2_ctrl_handler_setup,
        Videodev.v4l2_ctrl_s_ctrl,
        Videodev.vb2_queue_init,
        Videodev.vb2_buffer_done,
    ),
)


def init(this: ThisModule) -> Videodev:
    """The numbers of all video devices, and their class (`videodev_init()`)."""
    register_chrdev_region(this, NUMBERS, VIDEO_NUM_DEVICES, NAME)
    try:
        kind = class_register(this, NAME, attributes=ATTRIBUTES)
        return Videodev(this, kind, spin_lock_init(this, "videodev_lock"))
    except OSError:
        unregister_chrdev_region(this, NUMBERS, VIDEO_NUM_DEVICES)
        raise


def exit(this: ThisModule, video: Videodev) -> None:
    """`videodev_exit()`; drivers have gone before."""
    class_unregister(video.kind)
    unregister_chrdev_region(this, NUMBERS, VIDEO_NUM_DEVICES)
