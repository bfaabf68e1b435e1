"""V4L2: layouts and numbers of the real headers."""

from __future__ import annotations

import platform
import shutil
import sys
from pathlib import Path

import pytest

from simkernel.uapi.video import ioctls, v4l2_controls, videodev2
from simkernel.uapi.video import structures as s
from tests.uapi.layouts import Header, numbers_of, ours, recorded, theirs

PIX = ["width", "height", "pixelformat", "field", "bytesperline", "sizeimage", "colorspace", "priv"]
BUFFER = [
    *("index", "type", "bytesused", "flags", "field", "timestamp.tv_sec", "timestamp.tv_usec", "timecode"),
    *("sequence", "memory", "m", "length", "reserved2", "request_fd"),
]
VIDEO = Header(
    "video",
    ["linux/videodev2.h"],
    {
        "v4l2_capability": (
            s.V4l2Capability,
            ["driver", "card", "bus_info", "version", "capabilities", "device_caps", "reserved"],
        ),
        "v4l2_fmtdesc": (
            s.V4l2Fmtdesc,
            ["index", "type", "flags", "description", "pixelformat", "mbus_code", "reserved"],
        ),
        "v4l2_pix_format": (s.V4l2PixFormat, [*PIX, "flags", "ycbcr_enc", "quantization", "xfer_func"]),
        "v4l2_format": (s.V4l2Format, ["type", "fmt"]),
        "v4l2_frmsizeenum": (
            s.V4l2Frmsizeenum,
            ["index", "pixel_format", "type", "stepwise", "reserved"],
        ),
        "v4l2_frmsize_discrete": (s.V4l2FrmsizeDiscrete, ["width", "height"]),
        "v4l2_fract": (s.V4l2Fract, ["numerator", "denominator"]),
        "v4l2_frmival_stepwise": (
            s.V4l2FrmivalStepwise,
            [f"{end}.{part}" for end in ("min", "max", "step") for part in ("numerator", "denominator")],
        ),
        "v4l2_frmivalenum": (
            s.V4l2Frmivalenum,
            ["index", "pixel_format", "width", "height", "type", "stepwise", "reserved"],
        ),
        "v4l2_captureparm": (
            s.V4l2Captureparm,
            [
                *("capability", "capturemode", "timeperframe.numerator", "timeperframe.denominator"),
                *("extendedmode", "readbuffers", "reserved"),
            ],
        ),
        "v4l2_streamparm": (s.V4l2Streamparm, ["type", "parm"]),
        "v4l2_input": (
            s.V4l2Input,
            [
                *("index", "name", "type", "audioset", "tuner", "std", "status", "capabilities"),
                "reserved",
            ],
        ),
        "v4l2_requestbuffers": (
            s.V4l2Requestbuffers,
            ["count", "type", "memory", "capabilities", "flags", "reserved"],
        ),
        "v4l2_buffer": (s.V4l2Buffer, BUFFER),
        "v4l2_create_buffers": (
            s.V4l2CreateBuffers,
            [
                *("index", "count", "memory", "format.type", "format.fmt", "capabilities", "flags"),
                *("max_num_buffers", "reserved"),
            ],
        ),
        "v4l2_remove_buffers": (s.V4l2RemoveBuffers, ["index", "count", "type", "reserved"]),
        "v4l2_exportbuffer": (
            s.V4l2Exportbuffer,
            ["type", "index", "plane", "flags", "fd", "reserved"],
        ),
        "v4l2_control": (s.V4l2Control, ["id", "value"]),
        "v4l2_ext_control": (s.V4l2ExtControl, ["id", "size", "reserved2", "value64"]),
        "v4l2_ext_controls": (
            s.V4l2ExtControls,
            ["which", "count", "error_idx", "request_fd", "reserved", "controls"],
        ),
        "v4l2_queryctrl": (
            s.V4l2Queryctrl,
            [
                *("id", "type", "name", "minimum", "maximum", "step", "default_value", "flags"),
                "reserved",
            ],
        ),
        "v4l2_query_ext_ctrl": (
            s.V4l2QueryExtCtrl,
            [
                *("id", "type", "name", "minimum", "maximum", "step", "default_value", "flags"),
                *("elem_size", "elems", "nr_of_dims", "dims", "reserved"),
            ],
        ),
        "v4l2_querymenu": (s.V4l2Querymenu, ["id", "index", "name", "reserved"]),
        "v4l2_event_ctrl": (
            s.V4l2EventCtrl,
            ["changes", "type", "value64", "flags", "minimum", "maximum", "step", "default_value"],
        ),
        "v4l2_event": (
            s.V4l2Event,
            [
                *("type", "u", "pending", "sequence", "timestamp.tv_sec", "timestamp.tv_nsec", "id"),
                "reserved",
            ],
        ),
        "v4l2_event_subscription": (s.V4l2EventSubscription, ["type", "id", "flags", "reserved"]),
    },
    numbers_of(videodev2, v4l2_controls, ioctls, without={"_INT"}),
)


def test_the_layout_is_the_recorded_one() -> None:
    assert ours(VIDEO) == recorded(VIDEO)


@pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() != "x86_64" or shutil.which("cc") is None,
    reason="needs Linux on x86-64 and a C compiler",
)
def test_the_contract_is_that_of_the_headers(tmp_path: Path) -> None:
    real, mine = theirs(VIDEO, tmp_path), ours(VIDEO)
    structures = mine["structures"].keys() & real["structures"].keys()
    assert {name: mine["structures"][name] for name in structures} == real["structures"]
    assert {name: mine["numbers"][name] for name in real["numbers"]} == real["numbers"]
    assert len(real["numbers"]) > len(mine["numbers"]) * 0.9


def test_every_structure_is_checked() -> None:
    classes = {cls for cls in vars(s).values() if isinstance(cls, type) and hasattr(cls, "LAYOUT")}
    assert classes == {cls for cls, _ in VIDEO.structures.values()}


def test_a_request_has_a_name() -> None:
    assert ioctls.VIDIOC_NAMES[ioctls.VIDIOC_STREAMON] == "VIDIOC_STREAMON"
    assert ioctls.VIDIOC_STREAMON == 0x40045612
    assert s.cstring(b"camera\0\0") == "camera"
