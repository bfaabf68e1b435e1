"""The requests for the device and its formats (v4l2-ioctl.c), which share the work with the driver.

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
"""What Linux calls the formats (`v4l_fill_fmtdesc()`); others are not modelled."""

VALID_VALUES: Final = {
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


async def _maybe(result: Any) -> Any:
    return await result if isinstance(result, Awaitable) else result


# -- the device ---------------------------------------------------------------


async def querycap(call: IoctlCall, arg: s.V4l2Capability) -> None:
    """`v4l_querycap()`."""
    arg.version = LINUX_VERSION_CODE
    arg.bus_info = call.device.bus_info.encode()[:31]
    arg.device_caps = call.device.capabilities | v4l2.V4L2_CAP_EXT_PIX_FORMAT
    arg.capabilities = arg.device_caps | v4l2.V4L2_CAP_DEVICE_CAPS
    await _maybe(call.device.ops.querycap(arg))


def g_priority(call: IoctlCall, arg: Number) -> None:
    """`v4l_g_priority()`: the highest of all files."""
    arg.value = call.device.priority


def s_priority(call: IoctlCall, arg: Number) -> None:
    """`v4l_s_priority()`."""
    call.device.change_priority(call.fh, arg.value)


async def enuminput(call: IoctlCall, arg: s.V4l2Input) -> None:
    """`v4l_enuminput()`."""
    await _maybe(call.device.ops.enum_input(arg))


async def g_input(call: IoctlCall, arg: Number) -> None:
    """`v4l_g_input()`."""
    arg.value = await _maybe(call.device.ops.g_input())


async def s_input(call: IoctlCall, arg: Number) -> None:
    """`v4l_s_input()`."""
    await _maybe(call.device.ops.s_input(arg.value))


# -- formats ------------------------------------------------------------------


async def enum_fmt(call: IoctlCall, arg: s.V4l2Fmtdesc) -> None:
    """`v4l_enum_fmt()`."""
    await _maybe(call.device.ops.enum_fmt(arg))
    arg.description = DESCRIPTIONS[arg.pixelformat].encode()


async def g_fmt(call: IoctlCall, arg: s.V4l2Format) -> None:
    """`v4l_g_fmt()`."""
    pix = s.V4l2PixFormat()
    await _maybe(call.device.ops.g_fmt(pix))
    _store(arg, pix)


async def s_fmt(call: IoctlCall, arg: s.V4l2Format) -> None:
    """`v4l_s_fmt()`: the driver takes what is nearest."""
    pix = sanitized(arg.fmt)
    await _maybe(call.device.ops.s_fmt(pix))
    _store(arg, pix)


async def try_fmt(call: IoctlCall, arg: s.V4l2Format) -> None:
    """`v4l_try_fmt()`: what s_fmt would take."""
    pix = sanitized(arg.fmt)
    await _maybe(call.device.ops.try_fmt(pix))
    _store(arg, pix)


def sanitized(fmt: bytes) -> s.V4l2PixFormat:
    """What a program wants, without what it cannot mean (`v4l_sanitize_format()`)."""
    pix = s.V4l2PixFormat.unpack(fmt)
    if pix.priv != v4l2.V4L2_PIX_FMT_PRIV_MAGIC:  # the fields after it are not filled in
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
    """VIDIOC_ENUM_FRAMESIZES."""
    await _maybe(call.device.ops.enum_framesizes(arg))


async def enum_frameintervals(call: IoctlCall, arg: s.V4l2Frmivalenum) -> None:
    """VIDIOC_ENUM_FRAMEINTERVALS."""
    await _maybe(call.device.ops.enum_frameintervals(arg))


async def g_parm(call: IoctlCall, arg: s.V4l2Streamparm) -> None:
    """`v4l_g_parm()`."""
    parm = s.V4l2Captureparm()
    await _maybe(call.device.ops.g_parm(parm))
    arg.parm = parm.pack()


async def s_parm(call: IoctlCall, arg: s.V4l2Streamparm) -> None:
    """`v4l_s_parm()`."""
    parm = s.V4l2Captureparm.unpack(arg.parm)
    rest = arg.parm[s.V4l2Captureparm.SIZE :]
    parm.reserved = b""
    parm.extendedmode = 0
    parm.capturemode &= v4l2.V4L2_MODE_HIGHQUALITY
    await _maybe(call.device.ops.s_parm(parm))
    arg.parm = parm.pack() + rest
