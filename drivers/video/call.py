"""The first argument of an ioctl handler: the file, the device and the lock of the ioctl."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from simkernel.driverapi.fs import File
from simkernel.uapi.errno import EBUSY, EINVAL, os_error
from simkernel.uapi.video.structures import V4l2ExtControl
from simkernel.uapi.video.videodev2 import V4L2_BUF_TYPE_VIDEO_CAPTURE

from .device import VideoDevice
from .events import FileHandle
from .lock import HeldMutex


class IoctlCall(NamedTuple):
    """One ioctl: its file, its device, and the mutex that it holds.

    `items` is the array that the argument points to (VIDIOC_S_EXT_CTRLS and the like).
    """

    file: File
    fh: FileHandle
    device: VideoDevice
    held: HeldMutex
    items: Sequence[V4l2ExtControl]


def check_type(call: IoctlCall, arg: Any) -> None:
    """Raise EINVAL if the buffer type is not V4L2_BUF_TYPE_VIDEO_CAPTURE (`check_fmt()`)."""
    if arg.type != V4L2_BUF_TYPE_VIDEO_CAPTURE:
        raise os_error(EINVAL)


def check_owner(call: IoctlCall, arg: Any = None) -> None:
    """Raise EBUSY if another open file owns the buffers (`vb2_queue_is_busy()`)."""
    if call.device.queue.owner not in (None, call.fh):
        raise os_error(EBUSY)
