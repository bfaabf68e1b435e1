"""V4L2's requests as strace prints them (src/v4l2.c of strace).

What strace prints before and after the call with ` => ` in between is printed once, as it is after it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from simkernel.trace.strace.constants import flags, hexadecimal, names, number, pick
from simkernel.trace.strace.quoting import c_string
from simkernel.uapi.structure import S32, Buffer, Malformed, Structure
from simkernel.uapi.video import ioctls as io
from simkernel.uapi.video import structures as s
from simkernel.uapi.video import v4l2_controls as cid
from simkernel.uapi.video import videodev2 as v4l2

Printer = Callable[[Any], str]
Field = tuple[str, Printer]
"""What stands before `=`, and how what comes after it is made of the structure."""


def _value(name: str, of: Callable[[Any], str] = str) -> Field:
    return name, lambda it: of(getattr(it, name))


def _one(name: str, module: Any, prefix: str, *without: str) -> Field:
    known = names(module, prefix, *without)
    return _value(name, lambda value: number(value, known, prefix.rstrip("_")))


def _flags(name: str, known: Mapping[int, str]) -> Field:
    return _value(name, lambda value: flags(value, known))


def _text(name: str) -> Field:
    return _value(name, lambda value: c_string(value.split(b"\0", 1)[0]))


def _struct(it: Structure, fields: tuple[Field, ...]) -> str:
    return "{" + ", ".join(f"{name}={of(it)}" for name, of in fields) + "}"


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


_PIXEL_FORMATS: Final = names(v4l2, "V4L2_PIX_FMT_", "V4L2_PIX_FMT_PRIV")
_CONTROLS: Final = names(cid, "V4L2_CID_", "V4L2_CID_BASE", "V4L2_CID_USER_BASE")
_NEXT: Final = names(v4l2, "V4L2_CTRL_FLAG_NEXT_")
_BUFFER_FLAGS: Final = names(v4l2, "V4L2_BUF_FLAG_", "V4L2_BUF_FLAG_TIMESTAMP", "V4L2_BUF_FLAG_TSTAMP")
_TIMESTAMPS: Final = pick(v4l2, "V4L2_BUF_FLAG_TIMESTAMP_", "UNKNOWN MONOTONIC COPY")
_SOURCES: Final = pick(v4l2, "V4L2_BUF_FLAG_TSTAMP_SRC_", "EOF SOE")
_CAPABILITIES: Final = names(v4l2, "V4L2_CAP_", "V4L2_CAP_TIMEPERFRAME")
_EVENT_FLAGS: Final = names(v4l2, "V4L2_EVENT_SUB_FL_")

_TYPE: Final = _one("type", v4l2, "V4L2_BUF_TYPE_")
_INDEX: Final = _value("index")
_MEMORY: Final = _one("memory", v4l2, "V4L2_MEMORY_", "V4L2_MEMORY_FLAG")
_ID: Final = _value("id", _control)
_BUFFER: Final = (
    _MEMORY,
    ("m.offset", lambda it: hexadecimal(it.m)),
    _value("length"),
    _value("bytesused"),
    _value("flags", _buffer_flags),
)
_STAMP: Final[Field] = ("timestamp", lambda it: f"{{tv_sec={it.tv_sec}, tv_usec={it.tv_usec}}}")
_PIX: Final = (
    _value("width"),
    _value("height"),
    _value("pixelformat", _fourcc),
    _one("field", v4l2, "V4L2_FIELD_"),
    _value("bytesperline"),
    _value("sizeimage"),
    _one("colorspace", v4l2, "V4L2_COLORSPACE_"),
)
_FORMAT: Final[Field] = ("fmt.pix", lambda it: _struct(s.V4l2PixFormat.unpack(it.fmt), _PIX))
_PARM: Final = (
    _flags("capability", {v4l2.V4L2_CAP_TIMEPERFRAME: "V4L2_CAP_TIMEPERFRAME"}),
    _flags("capturemode", {v4l2.V4L2_MODE_HIGHQUALITY: "V4L2_MODE_HIGHQUALITY"}),
    ("timeperframe", lambda it: f"{it.numerator}/{it.denominator}"),
    _value("extendedmode", hexadecimal),
    _value("readbuffers"),
)
_CAPTURE: Final[Field] = ("parm.capture", lambda it: _struct(s.V4l2Captureparm.unpack(it.parm), _PARM))
_QUERY: Final = (_one("type", v4l2, "V4L2_CTRL_TYPE_"), _text("name"))

Shown = tuple[type[Structure], tuple[Field, ...], tuple[Field, ...]]
"""A request's structure; what of it is printed, and what more of it if the call succeeds."""

REQUESTS: Final[Mapping[int, Shown]] = {
    io.VIDIOC_QUERYCAP: (
        s.V4l2Capability,
        (),
        (
            *(_text("driver"), _text("card"), _text("bus_info")),
            (
                "version",
                lambda it: (
                    f"KERNEL_VERSION({it.version >> 16}, {it.version >> 8 & 0xFF}, {it.version & 0xFF})"
                ),
            ),
            *(_flags("capabilities", _CAPABILITIES), _flags("device_caps", _CAPABILITIES)),
        ),
    ),
    io.VIDIOC_ENUM_FMT: (
        s.V4l2Fmtdesc,
        (_INDEX, _TYPE),
        (
            _flags("flags", names(v4l2, "V4L2_FMT_FLAG_")),
            _text("description"),
            _value("pixelformat", _fourcc),
        ),
    ),
    io.VIDIOC_G_FMT: (s.V4l2Format, (_TYPE,), (_FORMAT,)),
    io.VIDIOC_S_FMT: (s.V4l2Format, (_TYPE, _FORMAT), ()),
    io.VIDIOC_TRY_FMT: (s.V4l2Format, (_TYPE, _FORMAT), ()),
    io.VIDIOC_G_PARM: (s.V4l2Streamparm, (_TYPE,), (_CAPTURE,)),
    io.VIDIOC_S_PARM: (s.V4l2Streamparm, (_TYPE, _CAPTURE), ()),
    io.VIDIOC_ENUMINPUT: (
        s.V4l2Input,
        (_INDEX,),
        (
            *(_text("name"), _one("type", v4l2, "V4L2_INPUT_TYPE_"), _value("audioset", hexadecimal)),
            *(_value("tuner"), _value("std", hexadecimal), _value("status", hexadecimal)),
            _value("capabilities", hexadecimal),
        ),
    ),
    io.VIDIOC_REQBUFS: (s.V4l2Requestbuffers, (_TYPE, _MEMORY, _value("count")), ()),
    io.VIDIOC_QUERYBUF: (s.V4l2Buffer, (_TYPE, _INDEX), _BUFFER),
    io.VIDIOC_QBUF: (s.V4l2Buffer, (_TYPE, _INDEX), _BUFFER),
    io.VIDIOC_PREPARE_BUF: (s.V4l2Buffer, (_TYPE, _INDEX), _BUFFER),
    io.VIDIOC_DQBUF: (s.V4l2Buffer, (_TYPE,), (_INDEX, *_BUFFER, _STAMP)),
    io.VIDIOC_QUERYCTRL: (s.V4l2Queryctrl, (_ID,), _QUERY),
    io.VIDIOC_QUERY_EXT_CTRL: (s.V4l2QueryExtCtrl, (_ID,), _QUERY),
    io.VIDIOC_QUERYMENU: (s.V4l2Querymenu, (_ID, _INDEX), (_text("name"),)),
    io.VIDIOC_G_CTRL: (s.V4l2Control, (_ID,), (_value("value"),)),
    io.VIDIOC_S_CTRL: (s.V4l2Control, (_ID, _value("value")), ()),
    io.VIDIOC_SUBSCRIBE_EVENT: (
        s.V4l2EventSubscription,
        (
            _one("type", v4l2, "V4L2_EVENT_", "V4L2_EVENT_CTRL_CH", "V4L2_EVENT_SUB"),
            _ID,
            _flags("flags", _EVENT_FLAGS),
        ),
        (),
    ),
}
_BUF_TYPES: Final = names(v4l2, "V4L2_BUF_TYPE_")
_TYPES: Final = frozenset({io.VIDIOC_STREAMON, io.VIDIOC_STREAMOFF})
_NUMBERS: Final = frozenset(
    {io.VIDIOC_G_INPUT, io.VIDIOC_S_INPUT, io.VIDIOC_G_PRIORITY, io.VIDIOC_S_PRIORITY}
)
_OPEN_ENDED: Final = {
    *(io.VIDIOC_QUERYBUF, io.VIDIOC_QBUF, io.VIDIOC_PREPARE_BUF, io.VIDIOC_DQBUF),
    *(io.VIDIOC_QUERYCTRL, io.VIDIOC_QUERY_EXT_CTRL),
}
"""Of these strace says that there is more."""


def argument(request: int, data: Buffer, succeeded: bool) -> str | None:
    """A request's argument after the call; None if that is not known here."""
    try:
        if request in _TYPES:
            return f"[{number(S32.unpack_from(data)[0], _BUF_TYPES, 'V4L2_BUF_TYPE')}]"
        if request in _NUMBERS:
            return f"[{S32.unpack_from(data)[0]}]"
        if request not in REQUESTS:
            return None
        structure, always, more = REQUESTS[request]
        shown = _struct(structure.unpack(data), always + more if succeeded else always)
    except (Malformed, ValueError):
        return None
    return shown[:-1] + ", ...}" if succeeded and request in _OPEN_ENDED else shown
