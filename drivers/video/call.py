"""What a request's answer is given beside its argument."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from simkernel.driverapi.fs import File
from simkernel.uapi.errno import EINVAL, os_error
from simkernel.uapi.video.structures import V4l2ExtControl
from simkernel.uapi.video.videodev2 import V4L2_BUF_TYPE_VIDEO_CAPTURE

from .device import VideoDevice
from .events import FileHandle
from .lock import Held


class Call(NamedTuple):
    """One request: on which open file, of which device; `items` are those that its argument points at."""

    file: File
    fh: FileHandle
    device: VideoDevice
    held: Held
    items: Sequence[V4l2ExtControl]


def check_type(type: int) -> None:
    """EINVAL for what is no capture of pictures (`check_fmt()`)."""
    if type != V4L2_BUF_TYPE_VIDEO_CAPTURE:
        raise os_error(EINVAL)
