"""The ioctls for the device and its formats (v4l2-ioctl.c), which call the driver's operations.

A driver has these operations.  Each fills in its argument or raises OSError, and each may be `async def`:

    querycap(V4l2Capability)          enum_fmt(V4l2Fmtdesc)             g_fmt, s_fmt, try_fmt(V4l2PixFormat)
    enum_framesizes(V4l2Frmsizeenum)  enum_frameintervals(V4l2Frmivalenum)
    g_parm, s_parm(V4l2Captureparm)   enum_input(V4l2Input)             g_input() -> int    s_input(int)
"""

from __future__ import annotations

from collections.abc import Awaitable
from struct import Struct
from typing import Any, Final

import attrs

from simkernel.uapi.structure import Structure
from simkernel.uapi.version import LINUX_VERSION_CODE
from simkernel.uapi.video import structures as s
from simkernel.uapi.video import videodev2 as v4l2

from .call import IoctlCall

DESCRIPTIONS: Final = {
    v4l2.V4L2_PIX_FMT_GREY: "8-bit Greyscale",
    v4l2.V4L2_PIX_FMT_YUYV: "YUYV 4:2:2",
    v4l2.V4L2_PIX_FMT_RGB24: "24-bit RGB 8-8-8",
}
"""The descriptions of the modelled pixel formats, with the texts of Linux (`v4l_fill_fmtdesc()`)."""

VALID_VALUES: Final = {
    "colorspace": range(1, 13),
    "ycbcr_enc": range(1, 9),
    "quantization": (1, 2),
    "xfer_func": range(1, 8),
}
"""The valid values of each colour field (`v4l2_is_colorspace_valid()` and similar functions)."""


@attrs.define
class Number(Structure):
    """The argument of ioctls that pass one 32-bit integer, such as VIDIOC_G_INPUT."""

    LAYOUT = Struct("<I")

    value: int = 0


async def _maybe(result: Any) -> Any:
    return await result if isinstance(result, Awaitable) else result


# -- the device ---------------------------------------------------------------


async def querycap(call: IoctlCall, arg: s.V4l2Capability) -> None:
    """VIDIOC_QUERYCAP: return the driver's name and the capabilities (`v4l_querycap()`)."""
    arg.version = LINUX_VERSION_CODE
    arg.bus_info = call.device.bus_info.encode()[:31]
    arg.device_caps = call.device.capabilities | v4l2.V4L2_CAP_EXT_PIX_FORMAT
    arg.capabilities = arg.device_caps | v4l2.V4L2_CAP_DEVICE_CAPS
    await _maybe(call.device.ops.querycap(arg))


def g_priority(call: IoctlCall, arg: Number) -> None:
    """VIDIOC_G_PRIORITY: return the highest priority of all open files (`v4l_g_priority()`)."""
    arg.value = call.device.priority


def s_priority(call: IoctlCall, arg: Number) -> None:
    """VIDIOC_S_PRIORITY: set the priority of this file (`v4l_s_priority()`)."""
    call.device.change_priority(call.fh, arg.value)


async def enuminput(call: IoctlCall, arg: s.V4l2Input) -> None:
    """VIDIOC_ENUMINPUT: describe an input of the device (`v4l_enuminput()`)."""
    await _maybe(call.device.ops.enum_input(arg))


async def g_input(call: IoctlCall, arg: Number) -> None:
    """VIDIOC_G_INPUT: return the index of the selected input (`v4l_g_input()`)."""
    arg.value = await _maybe(call.device.ops.g_input())


async def s_input(call: IoctlCall, arg: Number) -> None:
    """VIDIOC_S_INPUT: select an input (`v4l_s_input()`)."""
    await _maybe(call.device.ops.s_input(arg.value))


# -- formats ------------------------------------------------------------------


async def enum_fmt(call: IoctlCall, arg: s.V4l2Fmtdesc) -> None:
    """VIDIOC_ENUM_FMT: describe a pixel format (`v4l_enum_fmt()`)."""
    await _maybe(call.device.ops.enum_fmt(arg))
    arg.description = DESCRIPTIONS[arg.pixelformat].encode()


async def g_fmt(call: IoctlCall, arg: s.V4l2Format) -> None:
    """VIDIOC_G_FMT: return the current format (`v4l_g_fmt()`)."""
    pix = s.V4l2PixFormat()
    await _maybe(call.device.ops.g_fmt(pix))
    _store(arg, pix)


async def s_fmt(call: IoctlCall, arg: s.V4l2Format) -> None:
    """VIDIOC_S_FMT: set the supported format that is nearest to the requested format (`v4l_s_fmt()`)."""
    pix = sanitized(arg.fmt)
    await _maybe(call.device.ops.s_fmt(pix))
    _store(arg, pix)


async def try_fmt(call: IoctlCall, arg: s.V4l2Format) -> None:
    """VIDIOC_TRY_FMT: return the format that VIDIOC_S_FMT would set (`v4l_try_fmt()`)."""
    pix = sanitized(arg.fmt)
    await _maybe(call.device.ops.try_fmt(pix))
    _store(arg, pix)


def sanitized(fmt: bytes) -> s.V4l2PixFormat:
    """Return the requested format, with each invalid colour field set to 0 (`v4l_sanitize_format()`)."""
    pix = s.V4l2PixFormat.unpack(fmt)
    # If `priv` lacks the magic number, the program has not set the fields after `priv`.
    if pix.priv != v4l2.V4L2_PIX_FMT_PRIV_MAGIC:
        pix.flags = pix.ycbcr_enc = pix.quantization = pix.xfer_func = 0
    if pix.colorspace not in VALID_VALUES["colorspace"]:
        pix.colorspace = pix.ycbcr_enc = pix.quantization = pix.xfer_func = 0
    for name in ("ycbcr_enc", "quantization", "xfer_func"):
        if getattr(pix, name) not in VALID_VALUES[name]:
            setattr(pix, name, 0)
    return pix


def _store(arg: s.V4l2Format, pix: s.V4l2PixFormat) -> None:
    pix.priv = v4l2.V4L2_PIX_FMT_PRIV_MAGIC
    arg.fmt = pix.pack()


async def enum_framesizes(call: IoctlCall, arg: s.V4l2Frmsizeenum) -> None:
    """VIDIOC_ENUM_FRAMESIZES: describe a frame size of a pixel format."""
    await _maybe(call.device.ops.enum_framesizes(arg))


async def enum_frameintervals(call: IoctlCall, arg: s.V4l2Frmivalenum) -> None:
    """VIDIOC_ENUM_FRAMEINTERVALS: describe the frame intervals of a size and pixel format."""
    await _maybe(call.device.ops.enum_frameintervals(arg))


async def g_parm(call: IoctlCall, arg: s.V4l2Streamparm) -> None:
    """VIDIOC_G_PARM: return the frame interval (`v4l_g_parm()`)."""
    parm = s.V4l2Captureparm()
    await _maybe(call.device.ops.g_parm(parm))
    arg.parm = parm.pack()


async def s_parm(call: IoctlCall, arg: s.V4l2Streamparm) -> None:
    """VIDIOC_S_PARM: set the frame interval (`v4l_s_parm()`)."""
    parm = s.V4l2Captureparm.unpack(arg.parm)
    rest = arg.parm[s.V4l2Captureparm.SIZE :]
    parm.reserved = b""
    parm.extendedmode = 0
    parm.capturemode &= v4l2.V4L2_MODE_HIGHQUALITY
    await _maybe(call.device.ops.s_parm(parm))
    arg.parm = parm.pack() + rest
