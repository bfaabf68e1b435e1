"""The answers to requests (the functions `v4l_..()` of v4l2-ioctl.c), which share the work with the driver.

The driver's operations, all of which may be `async def`; each changes its argument, or raises OSError:

    querycap(V4l2Capability)          enum_fmt(V4l2Fmtdesc)             g_fmt, s_fmt, try_fmt(V4l2PixFormat)
    enum_framesizes(V4l2Frmsizeenum)  enum_frameintervals(V4l2Frmivalenum)
    g_parm, s_parm(V4l2Captureparm)   enum_input(V4l2Input)             g_input() -> int    s_input(int)
"""

from __future__ import annotations

from collections.abc import Awaitable
from struct import Struct
from typing import Any, Final

import attrs

from simkernel.uapi.errno import EINVAL, os_error
from simkernel.uapi.structure import Structure
from simkernel.uapi.version import LINUX_VERSION_CODE
from simkernel.uapi.video import structures as s
from simkernel.uapi.video import videodev2 as v4l2

from . import control_ioctls as controls
from . import queue_ioctls as buffers
from .call import Call

DESCRIPTIONS: Final = {
    v4l2.V4L2_PIX_FMT_GREY: "8-bit Greyscale",
    v4l2.V4L2_PIX_FMT_YUYV: "YUYV 4:2:2",
    v4l2.V4L2_PIX_FMT_RGB24: "24-bit RGB 8-8-8",
}
"""What Linux calls the formats (`v4l_fill_fmtdesc()`); others are not modelled."""

KNOWN: Final = {
    "colorspace": range(1, 13),
    "ycbcr_enc": range(1, 9),
    "quantization": (1, 2),
    "xfer_func": range(1, 8),
}
"""Which values there are (`v4l2_is_colorspace_valid()` and the like)."""


@attrs.define
class Number(Structure):
    """An argument that is an int."""

    LAYOUT = Struct("<I")

    value: int = 0


def _check_type(type: int) -> None:
    """EINVAL for what is no capture of pictures (`check_fmt()`)."""
    if type != v4l2.V4L2_BUF_TYPE_VIDEO_CAPTURE:
        raise os_error(EINVAL)


async def _maybe(result: Any) -> Any:
    return await result if isinstance(result, Awaitable) else result


# -- the device ---------------------------------------------------------------


async def querycap(call: Call, arg: s.V4l2Capability) -> None:
    """`v4l_querycap()`."""
    arg.version = LINUX_VERSION_CODE
    arg.bus_info = call.device.bus_info.encode()[:31]
    arg.device_caps = call.device.capabilities | v4l2.V4L2_CAP_EXT_PIX_FORMAT
    arg.capabilities = arg.device_caps | v4l2.V4L2_CAP_DEVICE_CAPS
    await _maybe(call.device.ops.querycap(arg))


def g_priority(call: Call, arg: Number) -> None:
    """`v4l_g_priority()`: the highest of all files."""
    arg.value = call.device.priority


def s_priority(call: Call, arg: Number) -> None:
    """`v4l_s_priority()`."""
    call.device.change_priority(call.fh, arg.value)


async def enuminput(call: Call, arg: s.V4l2Input) -> None:
    """`v4l_enuminput()`."""
    await _maybe(call.device.ops.enum_input(arg))


async def g_input(call: Call, arg: Number) -> None:
    """`v4l_g_input()`."""
    arg.value = await _maybe(call.device.ops.g_input())


async def s_input(call: Call, arg: Number) -> None:
    """`v4l_s_input()`."""
    await _maybe(call.device.ops.s_input(arg.value))


# -- formats ------------------------------------------------------------------


async def enum_fmt(call: Call, arg: s.V4l2Fmtdesc) -> None:
    """`v4l_enum_fmt()`."""
    _check_type(arg.type)
    await _maybe(call.device.ops.enum_fmt(arg))
    arg.description = DESCRIPTIONS[arg.pixelformat].encode()


async def g_fmt(call: Call, arg: s.V4l2Format) -> None:
    """`v4l_g_fmt()`."""
    _check_type(arg.type)
    pix = s.V4l2PixFormat()
    await _maybe(call.device.ops.g_fmt(pix))
    _store(arg, pix)


async def s_fmt(call: Call, arg: s.V4l2Format) -> None:
    """`v4l_s_fmt()`: the driver takes what is nearest."""
    _check_type(arg.type)
    pix = _sanitized(arg)
    await _maybe(call.device.ops.s_fmt(pix))
    _store(arg, pix)


async def try_fmt(call: Call, arg: s.V4l2Format) -> None:
    """`v4l_try_fmt()`: what s_fmt would take."""
    _check_type(arg.type)
    pix = _sanitized(arg)
    await _maybe(call.device.ops.try_fmt(pix))
    _store(arg, pix)


def _sanitized(arg: s.V4l2Format) -> s.V4l2PixFormat:
    """What a program wants, without what it cannot mean (`v4l_sanitize_format()`)."""
    pix = s.V4l2PixFormat.unpack(arg.fmt)
    if pix.priv != v4l2.V4L2_PIX_FMT_PRIV_MAGIC:  # the fields after it are not filled in
        pix.flags = pix.ycbcr_enc = pix.quantization = pix.xfer_func = 0
    if pix.colorspace not in KNOWN["colorspace"]:
        pix.colorspace = pix.ycbcr_enc = pix.quantization = pix.xfer_func = 0
    for name in ("ycbcr_enc", "quantization", "xfer_func"):
        if getattr(pix, name) not in KNOWN[name]:
            setattr(pix, name, 0)
    return pix


def _store(arg: s.V4l2Format, pix: s.V4l2PixFormat) -> None:
    pix.priv = v4l2.V4L2_PIX_FMT_PRIV_MAGIC
    arg.fmt = pix.pack()


async def enum_framesizes(call: Call, arg: s.V4l2Frmsizeenum) -> None:
    """VIDIOC_ENUM_FRAMESIZES."""
    await _maybe(call.device.ops.enum_framesizes(arg))


async def enum_frameintervals(call: Call, arg: s.V4l2Frmivalenum) -> None:
    """VIDIOC_ENUM_FRAMEINTERVALS."""
    await _maybe(call.device.ops.enum_frameintervals(arg))


async def g_parm(call: Call, arg: s.V4l2Streamparm) -> None:
    """`v4l_g_parm()`."""
    _check_type(arg.type)
    parm = s.V4l2Captureparm()
    await _maybe(call.device.ops.g_parm(parm))
    arg.parm = parm.pack()


async def s_parm(call: Call, arg: s.V4l2Streamparm) -> None:
    """`v4l_s_parm()`."""
    _check_type(arg.type)
    parm = s.V4l2Captureparm.unpack(arg.parm)
    rest = arg.parm[s.V4l2Captureparm.SIZE :]
    parm.reserved = b""
    parm.extendedmode = 0
    parm.capturemode &= v4l2.V4L2_MODE_HIGHQUALITY
    await _maybe(call.device.ops.s_parm(parm))
    arg.parm = parm.pack() + rest


# -- controls and events ------------------------------------------------------


def queryctrl(call: Call, arg: s.V4l2Queryctrl) -> None:
    """`v4l_queryctrl()`."""
    controls.queryctrl(call.device.controls, arg)


def query_ext_ctrl(call: Call, arg: s.V4l2QueryExtCtrl) -> None:
    """`v4l_query_ext_ctrl()`."""
    controls.query_ext_ctrl(call.device.controls, arg)


def querymenu(call: Call, arg: s.V4l2Querymenu) -> None:
    """`v4l_querymenu()`."""
    controls.querymenu(call.device.controls, arg)


def g_ctrl(call: Call, arg: s.V4l2Control) -> None:
    """`v4l_g_ctrl()`."""
    controls.g_ctrl(call.device.controls, arg)


def s_ctrl(call: Call, arg: s.V4l2Control) -> None:
    """`v4l_s_ctrl()`."""
    controls.s_ctrl(call.device.controls, call.fh, arg)


def g_ext_ctrls(call: Call, arg: s.V4l2ExtControls) -> None:
    """`v4l_g_ext_ctrls()`."""
    controls.g_ext_ctrls(call.device.controls, arg, call.items)


def s_ext_ctrls(call: Call, arg: s.V4l2ExtControls) -> None:
    """`v4l_s_ext_ctrls()`."""
    controls.s_ext_ctrls(call.device.controls, call.fh, arg, call.items)


def try_ext_ctrls(call: Call, arg: s.V4l2ExtControls) -> None:
    """`v4l_try_ext_ctrls()`."""
    controls.try_ext_ctrls(call.device.controls, arg, call.items)


def subscribe_event(call: Call, arg: s.V4l2EventSubscription) -> None:
    """`v4l_subscribe_event()`."""
    controls.subscribe_event(call.device.controls, call.fh, arg)


def unsubscribe_event(call: Call, arg: s.V4l2EventSubscription) -> None:
    """`v4l_unsubscribe_event()`."""
    controls.unsubscribe_event(call.device.controls, call.fh, arg)


def dqevent(call: Call, arg: s.V4l2Event) -> Awaitable[None]:
    """`v4l_dqevent()`."""
    return controls.dqevent(call.fh, arg, call.file, call.held)


# -- buffers ------------------------------------------------------------------


def reqbufs(call: Call, arg: s.V4l2Requestbuffers) -> Awaitable[None]:
    """`v4l_reqbufs()`."""
    _check_type(arg.type)
    arg.reserved = b""
    arg.capabilities = v4l2.V4L2_BUF_CAP_SUPPORTS_REMOVE_BUFS
    return buffers.reqbufs(call.device.queue, call.fh, arg)


def create_bufs(call: Call, arg: s.V4l2CreateBuffers) -> None:
    """`v4l_create_bufs()`."""
    _check_type(arg.type)
    arg.max_num_buffers = 0
    arg.reserved = b""
    arg.capabilities = v4l2.V4L2_BUF_CAP_SUPPORTS_REMOVE_BUFS
    pix = _sanitized(s.V4l2Format(arg.type, arg.fmt))
    pix.priv = v4l2.V4L2_PIX_FMT_PRIV_MAGIC
    arg.fmt = pix.pack() + arg.fmt[s.V4l2PixFormat.SIZE :]
    buffers.create_bufs(call.device.queue, call.fh, arg)


def remove_bufs(call: Call, arg: s.V4l2RemoveBuffers) -> None:
    """`v4l_remove_bufs()`."""
    buffers.remove_bufs(call.device.queue, call.fh, arg)


def querybuf(call: Call, arg: s.V4l2Buffer) -> None:
    """`v4l_querybuf()`."""
    _check_type(arg.type)
    buffers.querybuf(call.device.queue, call.fh, arg)


def prepare_buf(call: Call, arg: s.V4l2Buffer) -> None:
    """`v4l_prepare_buf()`."""
    _check_type(arg.type)
    buffers.prepare_buf(call.device.queue, call.fh, arg)


def qbuf(call: Call, arg: s.V4l2Buffer) -> None:
    """`v4l_qbuf()`."""
    _check_type(arg.type)
    buffers.qbuf(call.device.queue, call.fh, arg)


def dqbuf(call: Call, arg: s.V4l2Buffer) -> Awaitable[None]:
    """`v4l_dqbuf()`."""
    _check_type(arg.type)
    return buffers.dqbuf(call.device.queue, call.fh, arg, call.file, call.held)


def streamon(call: Call, arg: Number) -> Awaitable[None]:
    """`v4l_streamon()`."""
    return buffers.streamon(call.device.queue, call.fh, arg.value)


def streamoff(call: Call, arg: Number) -> Awaitable[None]:
    """`v4l_streamoff()`."""
    return buffers.streamoff(call.device.queue, call.fh, arg.value)
