"""Inputs, formats and frame intervals (v4l2-test-input-output.cpp, v4l2-test-formats.cpp)."""

from __future__ import annotations

import pytest

from simkernel.hardware.camera.registers import MODES
from simkernel.uapi import errno
from simkernel.uapi.video import ioctls as io
from simkernel.uapi.video import structures as s
from simkernel.uapi.video import videodev2 as v4l2
from tests.drivers.compliance.checks import FOURCCS, OTHER_TYPES, errno_of, is_zero
from tests.drivers.v4l2 import CAPTURE, Video, filled


def test_input(video: Video) -> None:
    given = video.ask(io.VIDIOC_ENUMINPUT, filled(s.V4l2Input, index=0))
    assert given.type == v4l2.V4L2_INPUT_TYPE_CAMERA
    assert s.cstring(given.name)
    assert (given.audioset, given.tuner, given.std, given.status, given.capabilities) == (0, 0, 0, 0, 0)
    assert is_zero(given.reserved)
    assert errno_of(video, io.VIDIOC_ENUMINPUT, filled(s.V4l2Input, index=1)) == errno.EINVAL
    assert video.number(io.VIDIOC_G_INPUT, -1) == 0
    assert video.number(io.VIDIOC_S_INPUT, 0) == 0
    with pytest.raises(OSError, match=rf"^\[Errno {errno.EINVAL}\]"):
        video.number(io.VIDIOC_S_INPUT, 1)


def test_enum_formats(video: Video) -> None:
    seen = []
    for index in range(3):
        given = video.ask(io.VIDIOC_ENUM_FMT, filled(s.V4l2Fmtdesc, index=index, type=CAPTURE))
        assert (given.index, given.type, given.flags, given.mbus_code) == (index, CAPTURE, 0, 0)
        assert is_zero(given.reserved)
        seen.append((given.pixelformat, s.cstring(given.description)))
    names = ["8-bit Greyscale", "YUYV 4:2:2", "24-bit RGB 8-8-8"]
    assert seen == list(zip(FOURCCS, names, strict=True))
    for type, index in [(CAPTURE, 3), (CAPTURE, 1 << 31), *((type, 0) for type in OTHER_TYPES)]:
        argument = filled(s.V4l2Fmtdesc, index=index, type=type)
        assert errno_of(video, io.VIDIOC_ENUM_FMT, argument) == errno.EINVAL


def test_enum_frame_sizes_and_intervals(video: Video) -> None:
    for index, mode in enumerate(MODES):
        wanted = filled(s.V4l2Frmsizeenum, index=index, pixel_format=FOURCCS[0])
        size = video.ask(io.VIDIOC_ENUM_FRAMESIZES, wanted)
        assert size.type == v4l2.V4L2_FRMSIZE_TYPE_DISCRETE
        assert is_zero(size.reserved)
        interval = {"pixel_format": FOURCCS[0], "width": mode.width, "height": mode.height}
        given = video.ask(io.VIDIOC_ENUM_FRAMEINTERVALS, filled(s.V4l2Frmivalenum, index=0, **interval))
        assert is_zero(given.reserved)
        bounds = s.V4l2FrmivalStepwise.unpack(given.union)
        assert (bounds.step_numerator, bounds.step_denominator) == (1, 1)
        assert bounds.min_numerator * bounds.max_denominator < bounds.max_numerator * bounds.min_denominator
        for change in ({"index": 1}, {"width": mode.width + 1}, {"pixel_format": 0x20202020}):
            wrong = filled(s.V4l2Frmivalenum, **{"index": 0, **interval, **change})
            assert errno_of(video, io.VIDIOC_ENUM_FRAMEINTERVALS, wrong) == errno.EINVAL
    wrong_size = filled(s.V4l2Frmsizeenum, index=0, pixel_format=0x20202020)
    assert errno_of(video, io.VIDIOC_ENUM_FRAMESIZES, wrong_size) == errno.EINVAL


@pytest.mark.parametrize("request_", [io.VIDIOC_G_FMT, io.VIDIOC_TRY_FMT, io.VIDIOC_S_FMT])
def test_formats(video: Video, request_: int) -> None:
    for priv in (0, 0xFFFFFFFF, v4l2.V4L2_PIX_FMT_PRIV_MAGIC):
        wanted = filled(s.V4l2PixFormat, field=v4l2.V4L2_FIELD_ANY, priv=priv).pack()
        given = video.ask(request_, s.V4l2Format(CAPTURE, wanted + b"\xff" * 152))
        assert given.type == CAPTURE
        assert is_zero(given.fmt[s.V4l2PixFormat.SIZE :])
        pix = s.V4l2PixFormat.unpack(given.fmt)
        assert pix.pixelformat in FOURCCS
        assert pix.bytesperline >= pix.width > 0
        assert pix.sizeimage == pix.bytesperline * pix.height > 0
        assert pix.field == v4l2.V4L2_FIELD_NONE
        assert pix.priv == v4l2.V4L2_PIX_FMT_PRIV_MAGIC
        assert pix.colorspace == v4l2.V4L2_COLORSPACE_SRGB
        assert (pix.flags, pix.ycbcr_enc, pix.quantization, pix.xfer_func) == (0, 0, 0, 0)
    for type in OTHER_TYPES:
        assert errno_of(video, request_, filled(s.V4l2Format, type=type)) == errno.EINVAL


def test_try_and_set_agree(video: Video) -> None:
    for width, height in ((1, 1), (639, 481), (5000, 10)):
        for fourcc in (*FOURCCS, v4l2.V4L2_PIX_FMT_MJPEG):
            wanted = {"width": width, "height": height, "pixelformat": fourcc}
            tried = video.format(io.VIDIOC_TRY_FMT, **wanted)
            assert video.format(io.VIDIOC_S_FMT, **wanted) == tried == video.format()


def test_parm(video: Video) -> None:
    for request in (io.VIDIOC_G_PARM, io.VIDIOC_S_PARM):
        given = video.ask(request, s.V4l2Streamparm(CAPTURE, bytes(24) + b"\xff" * 16))
        parm = s.V4l2Captureparm.unpack(given.parm)
        assert is_zero(parm.reserved)
        assert (parm.capability, parm.capturemode, parm.extendedmode, parm.readbuffers) == (0x1000, 0, 0, 0)
        assert parm.numerator
        assert parm.denominator
        for type in OTHER_TYPES:
            assert errno_of(video, request, s.V4l2Streamparm(type)) == errno.EINVAL
    for numerator, denominator in ((0, 1), (1, 0), (1, 7)):
        parm = video.parm(io.VIDIOC_S_PARM, numerator=numerator, denominator=denominator)
        assert parm.numerator
        assert parm.denominator
