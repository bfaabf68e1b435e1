"""Requirements for every V4L2 device (v4l2-compliance.cpp). Requests for other kinds of devices fail with
ENOTTY.
"""

from __future__ import annotations

import pytest

from simkernel import Machine
from simkernel.uapi import errno
from simkernel.uapi.ioctl import _IO, _IOR, _IOW, _IOWR
from simkernel.uapi.version import LINUX_VERSION_CODE
from simkernel.uapi.video import ioctls as io
from simkernel.uapi.video import structures as s
from simkernel.uapi.video import videodev2 as v4l2
from tests.drivers.compliance.checks import errno_of, is_zero
from tests.drivers.v4l2 import CAPTURE, Video, filled


def test_cap(video: Video) -> None:
    cap = video.ask(io.VIDIOC_QUERYCAP, filled(s.V4l2Capability))
    assert s.cstring(cap.driver) == "camera"
    assert s.cstring(cap.card)
    assert s.cstring(cap.bus_info).startswith("platform:")
    assert all(field.endswith(b"\0") for field in (cap.driver, cap.card, cap.bus_info))
    assert cap.version == LINUX_VERSION_CODE
    assert is_zero(cap.reserved)
    assert cap.capabilities & v4l2.V4L2_CAP_DEVICE_CAPS
    assert not cap.device_caps & v4l2.V4L2_CAP_DEVICE_CAPS
    assert not cap.device_caps & ~cap.capabilities
    assert cap.capabilities & v4l2.V4L2_CAP_EXT_PIX_FORMAT
    assert cap.device_caps & v4l2.V4L2_CAP_VIDEO_CAPTURE
    assert cap.device_caps & v4l2.V4L2_CAP_STREAMING
    assert not cap.device_caps & v4l2.V4L2_CAP_READWRITE
    with pytest.raises(OSError, match=rf"^\[Errno {errno.EFAULT}\]"):
        video.process.ioctl(video.fd, io.VIDIOC_QUERYCAP, 0)


def test_invalid_ioctls(video: Video) -> None:
    for letter in ("V", "v", "0"):
        for request in (_IO(letter, 0xFF), _IOR(letter, 0, 64), _IOW(letter, 0, 64), _IOWR(letter, 0, 64)):
            data = bytearray(64)
            with pytest.raises(OSError, match=rf"^\[Errno {errno.ENOTTY}\]"):
                video.process.ioctl(video.fd, request, data)
            assert is_zero(data)


def test_prio(machine: Machine, video: Video) -> None:
    other = Video.open(machine)
    assert video.number(io.VIDIOC_G_PRIORITY) == v4l2.V4L2_PRIORITY_DEFAULT
    video.number(io.VIDIOC_S_PRIORITY, v4l2.V4L2_PRIORITY_RECORD)
    assert other.number(io.VIDIOC_G_PRIORITY) == v4l2.V4L2_PRIORITY_RECORD
    refused = [
        (io.VIDIOC_S_PRIORITY, v4l2.V4L2_PRIORITY_INTERACTIVE),
        (io.VIDIOC_S_INPUT, 0),
        (io.VIDIOC_STREAMON, CAPTURE),
    ]
    for request, value in refused:
        with pytest.raises(OSError, match=rf"^\[Errno {errno.EBUSY}\]"):
            other.number(request, value)
    for request, argument in (
        (io.VIDIOC_S_FMT, s.V4l2Format(CAPTURE)),
        (io.VIDIOC_S_CTRL, s.V4l2Control(0x980913)),
        (io.VIDIOC_REQBUFS, s.V4l2Requestbuffers(1, CAPTURE)),
        (io.VIDIOC_S_PARM, s.V4l2Streamparm(CAPTURE)),
    ):
        assert errno_of(other, request, argument) == errno.EBUSY
    assert errno_of(other, io.VIDIOC_G_FMT, s.V4l2Format(CAPTURE)) == 0
    with pytest.raises(OSError, match=rf"^\[Errno {errno.EINVAL}\]"):
        video.number(io.VIDIOC_S_PRIORITY, 4)
    video.close()
    assert other.number(io.VIDIOC_G_PRIORITY) == v4l2.V4L2_PRIORITY_DEFAULT
    other.number(io.VIDIOC_S_INPUT, 0)


def test_unlimited_opens(machine: Machine, video: Video) -> None:
    process = machine.blocking()
    many = [Video.open(machine, process=process) for _ in range(100)]
    assert many[-1].number(io.VIDIOC_G_INPUT) == 0


def test_requests_for_other_devices_are_missing(video: Video) -> None:
    """Requests for other kinds of devices fail with ENOTTY. VIDIOC_EXPBUF fails too: a device need not have
    this request, but if it has it, it must support it completely.
    """
    for name in (
        *("EXPBUF", "G_STD", "S_STD", "ENUMSTD", "QUERYSTD", "G_TUNER", "G_AUDIO", "ENUMAUDIO", "G_OUTPUT"),
        *("ENUMOUTPUT", "G_FBUF", "OVERLAY", "CROPCAP", "G_CROP", "G_SELECTION", "S_SELECTION", "G_EDID"),
        *("G_DV_TIMINGS", "LOG_STATUS"),
    ):
        with pytest.raises(OSError, match=rf"^\[Errno {errno.ENOTTY}\]"):
            video.process.ioctl(video.fd, getattr(io, f"VIDIOC_{name}"), bytearray(256))
