"""The dispatch of ioctls: copy the argument, call the handler, copy the result back (v4l2-ioctl.c).

`REQUESTS` describes each ioctl; `video_ioctl2` executes it.  If the driver lacks the operation that an
ioctl needs, the ioctl raises ENOTTY, like an unknown one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import attrs

from simkernel.driverapi.fs import File
from simkernel.driverapi.uaccess import copy_from_user, copy_to_user
from simkernel.uapi.errno import EINVAL, ENODEV, ENOTTY, os_error
from simkernel.uapi.ioctl import _IOC_DIR, _IOC_READ, _IOC_SIZE, _IOC_WRITE
from simkernel.uapi.structure import Structure
from simkernel.uapi.video import ioctls as io
from simkernel.uapi.video import structures as s
from simkernel.uapi.video.videodev2 import V4L2_CID_MAX_CTRLS

from . import control_ioctls as controls
from . import format_ioctls as formats
from . import queue_ioctls as buffers
from .call import IoctlCall, check_owner, check_type
from .device import VideoDevice
from .format_ioctls import Number
from .lock import HeldMutex

IoctlHandler = Callable[[IoctlCall, Any], Any]
"""The handler of an ioctl. It fills in the argument or raises OSError, and it may be `async def`."""


@attrs.frozen
class IoctlInfo:
    """An ioctl's argument type, its handler, and the checks before the handler (`struct v4l2_ioctl_info`).

    `needs` names the operations that the driver must have, else the ioctl raises ENOTTY.  If `priority` is
    True, files of lower priority get EBUSY.  `input` is the last field that a program fills in; the fields
    after it are set to 0 ("": the program fills in all).  If `always_copy` is True, the argument is copied
    back even if the handler fails.  `checks` run before the handler.
    """

    argument: type[Structure]
    handler: IoctlHandler
    needs: tuple[str, ...] = ()
    priority: bool = False
    input: str = ""
    always_copy: bool = False
    checks: tuple[Callable[[IoctlCall, Any], None], ...] = ()


TYPE: Final = (check_type,)
OWNER: Final = (check_owner,)
TYPE_AND_OWNER: Final = (check_type, check_owner)

REQUESTS: Final = {
    io.VIDIOC_QUERYCAP: IoctlInfo(s.V4l2Capability, formats.querycap, ("querycap",)),
    io.VIDIOC_G_PRIORITY: IoctlInfo(Number, formats.g_priority),
    io.VIDIOC_S_PRIORITY: IoctlInfo(Number, formats.s_priority, priority=True),
    # formats
    io.VIDIOC_ENUM_FMT: IoctlInfo(s.V4l2Fmtdesc, formats.enum_fmt, ("enum_fmt",), input="type", checks=TYPE),
    io.VIDIOC_G_FMT: IoctlInfo(s.V4l2Format, formats.g_fmt, ("g_fmt",), checks=TYPE),
    io.VIDIOC_S_FMT: IoctlInfo(s.V4l2Format, formats.s_fmt, ("s_fmt",), priority=True, checks=TYPE),
    io.VIDIOC_TRY_FMT: IoctlInfo(s.V4l2Format, formats.try_fmt, ("try_fmt",), checks=TYPE),
    io.VIDIOC_ENUM_FRAMESIZES: IoctlInfo(
        s.V4l2Frmsizeenum, formats.enum_framesizes, ("enum_framesizes",), input="pixel_format"
    ),
    io.VIDIOC_ENUM_FRAMEINTERVALS: IoctlInfo(
        s.V4l2Frmivalenum, formats.enum_frameintervals, ("enum_frameintervals",), input="height"
    ),
    io.VIDIOC_G_PARM: IoctlInfo(s.V4l2Streamparm, formats.g_parm, ("g_parm",), input="type", checks=TYPE),
    io.VIDIOC_S_PARM: IoctlInfo(s.V4l2Streamparm, formats.s_parm, ("s_parm",), priority=True, checks=TYPE),
    io.VIDIOC_ENUMINPUT: IoctlInfo(s.V4l2Input, formats.enuminput, ("enum_input",), input="index"),
    io.VIDIOC_G_INPUT: IoctlInfo(Number, formats.g_input, ("g_input",)),
    io.VIDIOC_S_INPUT: IoctlInfo(Number, formats.s_input, ("s_input",), priority=True),
    # controls and events
    io.VIDIOC_QUERYCTRL: IoctlInfo(s.V4l2Queryctrl, controls.queryctrl, input="id"),
    io.VIDIOC_QUERY_EXT_CTRL: IoctlInfo(s.V4l2QueryExtCtrl, controls.query_ext_ctrl, input="id"),
    io.VIDIOC_QUERYMENU: IoctlInfo(s.V4l2Querymenu, controls.querymenu, input="index"),
    io.VIDIOC_G_CTRL: IoctlInfo(s.V4l2Control, controls.g_ctrl, input="id"),
    io.VIDIOC_S_CTRL: IoctlInfo(s.V4l2Control, controls.s_ctrl, priority=True),
    io.VIDIOC_G_EXT_CTRLS: IoctlInfo(s.V4l2ExtControls, controls.g_ext_ctrls, always_copy=True),
    io.VIDIOC_S_EXT_CTRLS: IoctlInfo(
        s.V4l2ExtControls, controls.s_ext_ctrls, priority=True, always_copy=True
    ),
    io.VIDIOC_TRY_EXT_CTRLS: IoctlInfo(s.V4l2ExtControls, controls.try_ext_ctrls, always_copy=True),
    io.VIDIOC_SUBSCRIBE_EVENT: IoctlInfo(s.V4l2EventSubscription, controls.subscribe_event),
    io.VIDIOC_UNSUBSCRIBE_EVENT: IoctlInfo(s.V4l2EventSubscription, controls.unsubscribe_event),
    io.VIDIOC_DQEVENT: IoctlInfo(s.V4l2Event, controls.dqevent),
    # buffers
    io.VIDIOC_REQBUFS: IoctlInfo(s.V4l2Requestbuffers, buffers.reqbufs, priority=True, checks=TYPE),
    io.VIDIOC_CREATE_BUFS: IoctlInfo(s.V4l2CreateBuffers, buffers.create_bufs, priority=True, checks=TYPE),
    io.VIDIOC_REMOVE_BUFS: IoctlInfo(
        s.V4l2RemoveBuffers, buffers.remove_bufs, priority=True, input="type", checks=TYPE
    ),
    io.VIDIOC_QUERYBUF: IoctlInfo(s.V4l2Buffer, buffers.querybuf, input="length", checks=TYPE),
    io.VIDIOC_PREPARE_BUF: IoctlInfo(s.V4l2Buffer, buffers.prepare_buf, checks=TYPE_AND_OWNER),
    io.VIDIOC_QBUF: IoctlInfo(s.V4l2Buffer, buffers.qbuf, checks=TYPE_AND_OWNER),
    io.VIDIOC_DQBUF: IoctlInfo(s.V4l2Buffer, buffers.dqbuf, checks=TYPE_AND_OWNER),
    io.VIDIOC_STREAMON: IoctlInfo(Number, buffers.streamon, priority=True, checks=OWNER),
    io.VIDIOC_STREAMOFF: IoctlInfo(Number, buffers.streamoff, priority=True, checks=OWNER),
}
"""The ioctls that a capture device supports. VIDIOC_EXPBUF is missing, because DMA-BUF is not modelled."""

EXT_CONTROLS: Final = (io.VIDIOC_G_EXT_CTRLS, io.VIDIOC_S_EXT_CTRLS, io.VIDIOC_TRY_EXT_CTRLS)


async def video_ioctl2(file: File, number: int, address: int) -> int:
    """Execute an ioctl whose argument is at `address` (`video_usercopy()`).

    Raise EFAULT if the address is bad, ENODEV if the device is unregistered, ENOTTY if the ioctl is not
    supported. Raise EBUSY if the file's priority is too low. Errors of the handler are raised too.
    """
    number &= 0xFFFF_FFFF
    request = REQUESTS.get(number)
    argument = _get(file, number, address, request)
    items = _get_items(file, number, argument)
    try:
        await _do(file, request, argument, items)
    except OSError as error:
        if request is None or not request.always_copy or error.errno == ENOTTY:
            raise
        _put(file, number, address, argument, items)
        raise
    _put(file, number, address, argument, items)
    return 0


async def _do(
    file: File, request: IoctlInfo | None, argument: Any, items: Sequence[s.V4l2ExtControl]
) -> None:
    """Check the request and call its handler under the device's mutex (`__video_do_ioctl()`)."""
    fh = file.private_data
    device: VideoDevice = fh.device
    async with HeldMutex(device.lock) as held:
        if not device.registered:
            raise os_error(ENODEV)
        if request is None or not all(hasattr(device.ops, name) for name in request.needs):
            raise os_error(ENOTTY)
        if request.priority:
            device.check_priority(fh)
        call = IoctlCall(file, fh, device, held, items)
        for check in request.checks:
            check(call, argument)
        pending = request.handler(call, argument)
        if pending is not None:
            await pending


def _get(file: File, number: int, address: int, request: IoctlInfo | None) -> Any:
    """Copy the argument from the program and unpack it (`video_get_user()`)."""
    size = _IOC_SIZE(number)
    data = copy_from_user(file, address, size) if _IOC_DIR(number) & _IOC_WRITE else bytes(size)
    if request is None:
        return None
    argument = request.argument.unpack(data)
    if request.input:
        fields = request.argument.__match_args__
        for name in fields[fields.index(request.input) + 1 :]:
            setattr(argument, name, type(getattr(argument, name))())
    return argument


def _get_items(file: File, number: int, argument: Any) -> list[s.V4l2ExtControl]:
    """Copy the array that the argument points to (`check_array_args()`).

    Raise EINVAL if it has too many items, EFAULT if its address is bad.
    """
    if number not in EXT_CONTROLS or argument.count == 0:
        return []
    if argument.count > V4L2_CID_MAX_CTRLS:
        raise os_error(EINVAL)
    size = s.V4l2ExtControl.SIZE
    data = copy_from_user(file, argument.controls, argument.count * size)
    return [s.V4l2ExtControl.unpack(data, index * size) for index in range(argument.count)]


def _put(file: File, number: int, address: int, argument: Any, items: Sequence[s.V4l2ExtControl]) -> None:
    """Copy the results to the program (`video_put_user()`)."""
    if items:
        copy_to_user(file, argument.controls, b"".join(item.pack() for item in items))
    if _IOC_DIR(number) & _IOC_READ:
        copy_to_user(file, address, argument.pack())
