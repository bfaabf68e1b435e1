"""ioctl requests of V4L2 in the format of strace (strace's src/v4l2.c).

strace prints some arguments twice, before and after the call, separated by ` => `.  Here they are printed
once, as they are after the call.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from simkernel.trace.strace.constants import flags, hexadecimal, names, number, one_of, pick, set_of
from simkernel.trace.strace.quoting import c_string
from simkernel.uapi.structure import S32, Buffer, Malformed, Structure
from simkernel.uapi.video import ioctls as io
from simkernel.uapi.video import structures as s
from simkernel.uapi.video import v4l2_controls as cid
from simkernel.uapi.video import videodev2 as v4l2

_PIXEL_FORMATS: Final = names(v4l2, "V4L2_PIX_FMT_", "V4L2_PIX_FMT_PRIV")
_CONTROLS: Final = names(cid, "V4L2_CID_", "V4L2_CID_BASE", "V4L2_CID_USER_BASE")
_NEXT: Final = names(v4l2, "V4L2_CTRL_FLAG_NEXT_")
_BUFFER_FLAGS: Final = names(v4l2, "V4L2_BUF_FLAG_", "V4L2_BUF_FLAG_TIMESTAMP", "V4L2_BUF_FLAG_TSTAMP")
_TIMESTAMPS: Final = pick(v4l2, "V4L2_BUF_FLAG_TIMESTAMP_", "UNKNOWN MONOTONIC COPY")
_SOURCES: Final = pick(v4l2, "V4L2_BUF_FLAG_TSTAMP_SRC_", "EOF SOE")


def _fourcc(value: int) -> str:
    letters = ", ".join(f"'{chr(value >> shift & 0xFF)}'" for shift in (0, 8, 16, 24))
    name = _PIXEL_FORMATS.get(value)
    return f"v4l2_fourcc({letters})" + (f" /* {name} */" if name else "")


def _control(value: int) -> str:
    following = [name for bit, name in _NEXT.items() if value & bit]
    return "|".join([*following, number(value & v4l2.V4L2_CTRL_ID_MASK, _CONTROLS, "V4L2_CID")])


def _buffer_flags(value: int) -> str:
    kind = value & v4l2.V4L2_BUF_FLAG_TIMESTAMP_MASK
    source = value & v4l2.V4L2_BUF_FLAG_TSTAMP_SRC_MASK
    rest = value & ~kind & ~source
    parts = [flags(rest, _BUFFER_FLAGS)] if rest else []
    parts.append(number(kind, _TIMESTAMPS, "V4L2_BUF_FLAG_TIMESTAMP"))
    parts.append(number(source, _SOURCES, "V4L2_BUF_FLAG_TSTAMP_SRC"))
    return "|".join(parts)


def _version(value: int) -> str:
    return f"KERNEL_VERSION({value >> 16}, {value >> 8 & 0xFF}, {value & 0xFF})"


def _pix(data: bytes) -> str:
    return _structure(s.V4l2PixFormat.unpack(data), _PIX)


def _capture(data: bytes) -> str:
    return _structure(s.V4l2Captureparm.unpack(data), _CAPTURE)


_CAPABILITIES: Final = set_of(names(v4l2, "V4L2_CAP_", "V4L2_CAP_TIMEPERFRAME"))
_KINDS: Final[dict[str, Callable[[Any], str]]] = {
    "": str,
    "buf_type": one_of(v4l2, "V4L2_BUF_TYPE_"),
    "buffer_flags": _buffer_flags,
    "capabilities": _CAPABILITIES,
    "capture": _capture,
    "capture_capability": set_of(pick(v4l2, "V4L2_CAP_", "TIMEPERFRAME")),
    "colorspace": one_of(v4l2, "V4L2_COLORSPACE_"),
    "control": _control,
    "control_type": one_of(v4l2, "V4L2_CTRL_TYPE_"),
    "event_flags": set_of(names(v4l2, "V4L2_EVENT_SUB_FL_")),
    "event_type": one_of(v4l2, "V4L2_EVENT_", "V4L2_EVENT_CTRL_CH", "V4L2_EVENT_SUB"),
    "field": one_of(v4l2, "V4L2_FIELD_"),
    "format_flags": set_of(names(v4l2, "V4L2_FMT_FLAG_")),
    "fourcc": _fourcc,
    "fraction": lambda it: f"{it.numerator}/{it.denominator}",
    "hex": hexadecimal,
    "input_type": one_of(v4l2, "V4L2_INPUT_TYPE_"),
    "memory": one_of(v4l2, "V4L2_MEMORY_", "V4L2_MEMORY_FLAG"),
    "mode": set_of(pick(v4l2, "V4L2_MODE_", "HIGHQUALITY")),
    "pix": _pix,
    "text": lambda data: c_string(data.split(b"\0", 1)[0]),
    "timeval": lambda it: f"{{tv_sec={it.tv_sec}, tv_usec={it.tv_usec}}}",
    "version": _version,
}
_PIX: Final = "width height pixelformat:fourcc field:field bytesperline sizeimage colorspace:colorspace"
_CAPTURE: Final = (
    "capability:capture_capability capturemode:mode timeperframe=*:fraction extendedmode:hex readbuffers"
)
_BUFFER: Final = "memory:memory m.offset=m:hex length bytesused flags:buffer_flags"

REQUESTS: Final[Mapping[int, tuple[type[Structure], str, str]]] = {
    io.VIDIOC_QUERYCAP: (
        s.V4l2Capability,
        "",
        "driver:text card:text bus_info:text version:version capabilities:capabilities "
        "device_caps:capabilities",
    ),
    io.VIDIOC_ENUM_FMT: (
        *(s.V4l2Fmtdesc, "index type:buf_type"),
        "flags:format_flags description:text pixelformat:fourcc",
    ),
    io.VIDIOC_G_FMT: (s.V4l2Format, "type:buf_type", "fmt.pix=fmt:pix"),
    io.VIDIOC_S_FMT: (s.V4l2Format, "type:buf_type fmt.pix=fmt:pix", ""),
    io.VIDIOC_TRY_FMT: (s.V4l2Format, "type:buf_type fmt.pix=fmt:pix", ""),
    io.VIDIOC_G_PARM: (s.V4l2Streamparm, "type:buf_type", "parm.capture=parm:capture"),
    io.VIDIOC_S_PARM: (s.V4l2Streamparm, "type:buf_type parm.capture=parm:capture", ""),
    io.VIDIOC_ENUMINPUT: (
        *(s.V4l2Input, "index"),
        "name:text type:input_type audioset:hex tuner std:hex status:hex capabilities:hex",
    ),
    io.VIDIOC_REQBUFS: (s.V4l2Requestbuffers, "type:buf_type memory:memory count", ""),
    io.VIDIOC_QUERYBUF: (s.V4l2Buffer, "type:buf_type index", f"{_BUFFER} ..."),
    io.VIDIOC_QBUF: (s.V4l2Buffer, "type:buf_type index", f"{_BUFFER} ..."),
    io.VIDIOC_PREPARE_BUF: (s.V4l2Buffer, "type:buf_type index", f"{_BUFFER} ..."),
    io.VIDIOC_DQBUF: (s.V4l2Buffer, "type:buf_type", f"index {_BUFFER} timestamp=*:timeval ..."),
    io.VIDIOC_QUERYCTRL: (s.V4l2Queryctrl, "id:control", "type:control_type name:text ..."),
    io.VIDIOC_QUERY_EXT_CTRL: (s.V4l2QueryExtCtrl, "id:control", "type:control_type name:text ..."),
    io.VIDIOC_QUERYMENU: (s.V4l2Querymenu, "id:control index", "name:text"),
    io.VIDIOC_G_CTRL: (s.V4l2Control, "id:control", "value"),
    io.VIDIOC_S_CTRL: (s.V4l2Control, "id:control value", ""),
    io.VIDIOC_SUBSCRIBE_EVENT: (
        *(s.V4l2EventSubscription, "type:event_type id:control flags:event_flags"),
        "",
    ),
}
"""For each ioctl request of V4L2: the structure of its argument, the fields that strace always prints, and
the fields that it prints only if the call succeeds.

A field is `name`, `name:kind` or `name=attribute:kind`, where the name `*` is the whole structure. `...` is
printed as it is.
"""
_TYPES: Final = frozenset({io.VIDIOC_STREAMON, io.VIDIOC_STREAMOFF})
_NUMBERS: Final = frozenset(
    {io.VIDIOC_G_INPUT, io.VIDIOC_S_INPUT, io.VIDIOC_G_PRIORITY, io.VIDIOC_S_PRIORITY}
)


def argument(request: int, data: Buffer, succeeded: bool) -> str | None:
    """Format the argument of a request, with its value after the call. Return None for an unknown format."""
    try:
        if request in _TYPES:
            return f"[{_KINDS['buf_type'](S32.unpack_from(data)[0])}]"
        if request in _NUMBERS:
            return f"[{S32.unpack_from(data)[0]}]"
        if request not in REQUESTS:
            return None
        structure, always, more = REQUESTS[request]
        return _structure(structure.unpack(data), f"{always} {more}" if succeeded else always)
    except (Malformed, ValueError):
        return None


def _structure(it: Structure, fields: str) -> str:
    return f"{{{', '.join(_field(it, field) for field in fields.split())}}}"


def _field(it: Structure, field: str) -> str:
    if field == "...":
        return field
    label, _, kind = field.partition(":")
    name, _, attribute = label.partition("=")
    value = it if attribute == "*" else getattr(it, attribute or name)
    return f"{name}={_KINDS[kind](value)}"
