"""video: the video subsystem. Camera drivers share it (videodev and videobuf2 on Linux).

This module is not a driver: it binds no device.  A driver registers a capture device with its operations.
The subsystem makes /dev/videoN, executes the ioctls that are the same for all devices, and manages the
frame buffers.

Read the files in this order:

    __init__.py         the functions that drivers import
    device.py           a video device, its numbers and its priorities
    operations.py       the file operations: open, mmap, poll, release
    ioctl.py            the table of ioctls, and the copying of their arguments
    format_ioctls.py    the ioctls for the device and its formats, and the driver's operations
    queue.py, buffer.py the life cycle of buffers; queue_ioctls.py: their ioctls
    controls.py         controls; control_ioctls.py: their ioctls, and those for events
    events.py           an open file and its events
    lock.py             a mutex that is released during a wait

The ioctl numbers and structures are in simkernel/uapi/video.  The rules are Linux's: each docstring names
the function of Linux that it models.
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
    """The loaded module.  Drivers import its methods as kernel symbols."""

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
        """Register a video device, which makes its node /dev/videoN.

        format_ioctls.py describes `ops`.  Each ioctl holds `lock`.  Raise ENFILE if all numbers are in
        use.
        """
        capabilities = V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_STREAMING
        fh_lock = spin_lock_init(self.this, f"files of {parent.name}")
        device = VideoDevice(owner, parent, name, bus_info, capabilities, ops, controls, queue, lock, fh_lock)
        register(self, device, operations(self))
        return device

    async def video_unregister_device(self, device: VideoDevice) -> None:
        """Unregister a video device and revoke its open files.  Do nothing if it is not registered."""
        await unregister(self, device)

    # -- controls ---------------------------------------------------------------

    def v4l2_ctrl_handler_init(self) -> ControlHandler:
        """Return a new, empty control handler."""
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
        """Add an integer control to a control handler. `ops` is a driver object with the method s_ctrl()."""
        return handler.add(ops, id, minimum, maximum, step, default)

    def v4l2_ctrl_new_std_menu_items(
        self, handler: ControlHandler, ops: Any, id: int, default: int, menu: tuple[str, ...]
    ) -> Control:
        """Add a menu control to a control handler. The control's value is an index into `menu`."""
        return handler.add(ops, id, 0, len(menu) - 1, 1, default, menu)

    def v4l2_ctrl_handler_setup(self, handler: ControlHandler) -> None:
        """Write the values of all controls to the device."""
        handler.setup()

    def v4l2_ctrl_s_ctrl(self, control: Control, value: int) -> None:
        """Set a control at the driver's request. If its value changes, all subscribers receive an event."""
        control.set(value)

    # -- buffers ----------------------------------------------------------------

    def vb2_queue_init(
        self, device: Device, ops: Any, lock: Mutex, timestamp_flags: int, private: Any
    ) -> Queue:
        """Return a new buffer queue for `device`. `ops` has the driver's operations (see queue.py)."""
        mmap_lock = mutex_init(self.this, f"mmap of {device.name}")
        done_lock = spin_lock_init(self.this, f"done_lock of {device.name}")
        return Queue(device, ops, lock, mmap_lock, done_lock, timestamp_flags, private)

    def vb2_buffer_done(self, buffer: Buffer, error: bool) -> None:
        """Return a buffer from the driver to the queue. If `error` is True, the buffer holds no valid
        frame.
        """
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
    """Register the device numbers and the class of video devices (`videodev_init()`)."""
    register_chrdev_region(this, NUMBERS, VIDEO_NUM_DEVICES, NAME)
    try:
        kind = class_register(this, NAME, attributes=ATTRIBUTES)
        return Videodev(this, kind, spin_lock_init(this, "videodev_lock"))
    except OSError:
        unregister_chrdev_region(this, NUMBERS, VIDEO_NUM_DEVICES)
        raise


def exit(this: ThisModule, video: Videodev) -> None:
    """Release the class and the device numbers (`videodev_exit()`). All camera drivers are already
    unloaded.
    """
    class_unregister(video.kind)
    unregister_chrdev_region(this, NUMBERS, VIDEO_NUM_DEVICES)
