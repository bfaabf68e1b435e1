"""The structures of videodev2.h that a camera needs, in the layout of 64-bit Linux.

Unlike structures of other headers they are mutable, because the kernel modifies a request's argument and
returns it to the program.  A union is bytes, and its members are separate structures:

    format = V4l2Format.unpack(data)
    pix = V4l2PixFormat.unpack(format.fmt)
"""

from __future__ import annotations

from struct import Struct

import attrs

from simkernel.uapi.structure import Structure
from simkernel.uapi.video.videodev2 import V4L2_MEMORY_MMAP


def cstring(field: bytes) -> str:
    """Return the text in a C character array.  The text ends at the first NUL."""
    return field.split(b"\0", 1)[0].decode(errors="replace")


@attrs.define
class V4l2Capability(Structure):
    """struct v4l2_capability: the name of a device and its capabilities."""

    LAYOUT = Struct("<16s32s32sIII12s")

    driver: bytes = b""
    card: bytes = b""
    bus_info: bytes = b""
    version: int = 0
    capabilities: int = 0
    device_caps: int = 0
    reserved: bytes = b""


@attrs.define
class V4l2Fmtdesc(Structure):
    """struct v4l2_fmtdesc: a pixel format."""

    LAYOUT = Struct("<III32sII12s")

    index: int = 0
    type: int = 0
    flags: int = 0
    description: bytes = b""
    pixelformat: int = 0
    mbus_code: int = 0
    reserved: bytes = b""


@attrs.define
class V4l2PixFormat(Structure):
    """struct v4l2_pix_format: size and memory layout of a picture."""

    LAYOUT = Struct("<IIIIIIIIIIII")

    width: int = 0
    height: int = 0
    pixelformat: int = 0
    field: int = 0
    bytesperline: int = 0
    sizeimage: int = 0
    colorspace: int = 0
    priv: int = 0
    flags: int = 0
    ycbcr_enc: int = 0
    quantization: int = 0
    xfer_func: int = 0


@attrs.define
class V4l2Format(Structure):
    """struct v4l2_format. For a video capture device, `fmt` contains a packed V4l2PixFormat."""

    LAYOUT = Struct("<I4x200s")

    type: int = 0
    fmt: bytes = b""


@attrs.define
class V4l2Frmsizeenum(Structure):
    """struct v4l2_frmsizeenum: one frame size or a range of frame sizes. For one frame size, the field
    `union` is a V4l2FrmsizeDiscrete.
    """

    LAYOUT = Struct("<III24s8s")

    index: int = 0
    pixel_format: int = 0
    type: int = 0
    union: bytes = b""
    reserved: bytes = b""


@attrs.define
class V4l2FrmsizeDiscrete(Structure):
    """struct v4l2_frmsize_discrete: width and height of a frame."""

    LAYOUT = Struct("<II")

    width: int = 0
    height: int = 0


@attrs.define
class V4l2Fract(Structure):
    """struct v4l2_fract: a fraction, for instance the frame interval in seconds."""

    LAYOUT = Struct("<II")

    numerator: int = 0
    denominator: int = 0


@attrs.define
class V4l2FrmivalStepwise(Structure):
    """struct v4l2_frmival_stepwise: minimum, maximum and step of frame intervals."""

    LAYOUT = Struct("<IIIIII")

    min_numerator: int = 0
    min_denominator: int = 0
    max_numerator: int = 0
    max_denominator: int = 0
    step_numerator: int = 0
    step_denominator: int = 0


@attrs.define
class V4l2Frmivalenum(Structure):
    """struct v4l2_frmivalenum: one frame interval (`union` is a V4l2Fract) or a range of frame intervals
    (`union` is a V4l2FrmivalStepwise).
    """

    LAYOUT = Struct("<IIIII24s8s")

    index: int = 0
    pixel_format: int = 0
    width: int = 0
    height: int = 0
    type: int = 0
    union: bytes = b""
    reserved: bytes = b""


@attrs.define
class V4l2Captureparm(Structure):
    """struct v4l2_captureparm: capture parameters, such as the frame interval."""

    LAYOUT = Struct("<IIIIII16s")

    capability: int = 0
    capturemode: int = 0
    numerator: int = 0
    denominator: int = 0
    extendedmode: int = 0
    readbuffers: int = 0
    reserved: bytes = b""


@attrs.define
class V4l2Streamparm(Structure):
    """struct v4l2_streamparm. For a video capture device, `parm` contains a packed V4l2Captureparm."""

    LAYOUT = Struct("<I200s")

    type: int = 0
    parm: bytes = b""


@attrs.define
class V4l2Input(Structure):
    """struct v4l2_input: a video input."""

    LAYOUT = Struct("<I32sIIIQII12s4x")

    index: int = 0
    name: bytes = b""
    type: int = 0
    audioset: int = 0
    tuner: int = 0
    std: int = 0
    status: int = 0
    capabilities: int = 0
    reserved: bytes = b""


@attrs.define
class V4l2Requestbuffers(Structure):
    """struct v4l2_requestbuffers: a request to allocate buffers."""

    LAYOUT = Struct("<IIIIB3s")

    count: int = 0
    type: int = 0
    memory: int = V4L2_MEMORY_MMAP
    capabilities: int = 0
    flags: int = 0
    reserved: bytes = b""


@attrs.define
class V4l2Buffer(Structure):
    """struct v4l2_buffer: a buffer and the frame in it.

    The timestamp is in seconds and microseconds.  `m` is the offset to map it at, for memory that is mapped.
    """

    LAYOUT = Struct("<IIIII4xqq16sIIQIIi4x")

    index: int = 0
    type: int = 0
    bytesused: int = 0
    flags: int = 0
    field: int = 0
    tv_sec: int = 0
    tv_usec: int = 0
    timecode: bytes = b""
    sequence: int = 0
    memory: int = V4L2_MEMORY_MMAP
    m: int = 0
    length: int = 0
    reserved2: int = 0
    request_fd: int = 0


@attrs.define
class V4l2CreateBuffers(Structure):
    """struct v4l2_create_buffers: a request to allocate buffers for a format, which need not be the current
    format.
    """

    LAYOUT = Struct("<III4xI4x200sIII20s")

    index: int = 0
    count: int = 0
    memory: int = V4L2_MEMORY_MMAP
    type: int = 0
    fmt: bytes = b""
    capabilities: int = 0
    flags: int = 0
    max_num_buffers: int = 0
    reserved: bytes = b""


@attrs.define
class V4l2RemoveBuffers(Structure):
    """struct v4l2_remove_buffers: a range of buffers to remove."""

    LAYOUT = Struct("<III52s")

    index: int = 0
    count: int = 0
    type: int = 0
    reserved: bytes = b""


@attrs.define
class V4l2Exportbuffer(Structure):
    """struct v4l2_exportbuffer: a buffer to export as a DMABUF file descriptor."""

    LAYOUT = Struct("<IIIIi44s")

    type: int = 0
    index: int = 0
    plane: int = 0
    flags: int = 0
    fd: int = 0
    reserved: bytes = b""


@attrs.define
class V4l2Control(Structure):
    """struct v4l2_control: id and value of a control."""

    LAYOUT = Struct("<Ii")

    id: int = 0
    value: int = 0


@attrs.define
class V4l2ExtControl(Structure):
    """struct v4l2_ext_control: id and value of a control.  `union` has the value (32 or 64 bits), or the
    address of a longer value.
    """

    LAYOUT = Struct("<II4s8s")

    id: int = 0
    size: int = 0
    reserved2: bytes = b""
    union: bytes = b""


@attrs.define
class V4l2ExtControls(Structure):
    """struct v4l2_ext_controls: `controls` is the address of an array of `count` V4l2ExtControl."""

    LAYOUT = Struct("<IIIi4s4xQ")

    which: int = 0
    count: int = 0
    error_idx: int = 0
    request_fd: int = 0
    reserved: bytes = b""
    controls: int = 0


@attrs.define
class V4l2Queryctrl(Structure):
    """struct v4l2_queryctrl: name and range of a control."""

    LAYOUT = Struct("<II32siiiiI8s")

    id: int = 0
    type: int = 0
    name: bytes = b""
    minimum: int = 0
    maximum: int = 0
    step: int = 0
    default_value: int = 0
    flags: int = 0
    reserved: bytes = b""


@attrs.define
class V4l2QueryExtCtrl(Structure):
    """struct v4l2_query_ext_ctrl: name, range and element type of a control."""

    LAYOUT = Struct("<II32sqqQqIIII16s128s")

    id: int = 0
    type: int = 0
    name: bytes = b""
    minimum: int = 0
    maximum: int = 0
    step: int = 0
    default_value: int = 0
    flags: int = 0
    elem_size: int = 0
    elems: int = 0
    nr_of_dims: int = 0
    dims: bytes = b""
    reserved: bytes = b""


@attrs.define
class V4l2Querymenu(Structure):
    """struct v4l2_querymenu: the name of one menu item of a control."""

    LAYOUT = Struct("<II32sI")

    id: int = 0
    index: int = 0
    name: bytes = b""
    reserved: int = 0


@attrs.define
class V4l2EventCtrl(Structure):
    """struct v4l2_event_ctrl: a change of a control.

    `changes` is a mask of the properties that have changed.
    """

    LAYOUT = Struct("<IIqIiiii4x")

    changes: int = 0
    type: int = 0
    value: int = 0
    flags: int = 0
    minimum: int = 0
    maximum: int = 0
    step: int = 0
    default_value: int = 0


@attrs.define
class V4l2Event(Structure):
    """struct v4l2_event: for a change of a control, `u` is a V4l2EventCtrl.  The timestamp is monotonic."""

    LAYOUT = Struct("<I4x64sIIqqI32s4x")

    type: int = 0
    u: bytes = b""
    pending: int = 0
    sequence: int = 0
    tv_sec: int = 0
    tv_nsec: int = 0
    id: int = 0
    reserved: bytes = b""


@attrs.define
class V4l2EventSubscription(Structure):
    """struct v4l2_event_subscription: type and id of the events to subscribe to."""

    LAYOUT = Struct("<III20s")

    type: int = 0
    id: int = 0
    flags: int = 0
    reserved: bytes = b""
