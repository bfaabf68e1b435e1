"""What a request's answer is given beside its argument."""

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
    """One request: on which open file, of which device; `items` are those that its argument points at."""

    file: File
    fh: FileHandle
    device: VideoDevice
    held: HeldMutex
    items: Sequence[V4l2ExtControl]


def check_type(call: IoctlCall, arg: Any) -> None:
    """EINVAL for what is no capture of pictures (`check_fmt()`)."""
    if arg.type != V4L2_BUF_TYPE_VIDEO_CAPTURE:
        raise os_error(EINVAL)


def check_owner(call: IoctlCall, arg: Any = None) -> None:
    """EBUSY if the buffers are another file's (`vb2_queue_is_busy()`)."""
    if call.device.queue.owner not in (None, call.fh):
        raise os_error(EBUSY)
