"""V4L2's requests in strace's format. Source: src/v4l2.c of strace."""

from __future__ import annotations

import re
from io import StringIO

import pytest

from simkernel.hardware import Camera
from simkernel.trace.strace import Strace
from simkernel.uapi.video import ioctls as io
from simkernel.uapi.video import structures as s
from simkernel.uapi.video import v4l2_controls as cid
from simkernel.uapi.video import videodev2 as v4l2
from tests.drivers.bench import bench
from tests.drivers.v4l2 import Video

MONOTONIC = "V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC|V4L2_BUF_FLAG_TSTAMP_SRC_SOE"


def test_requests_are_printed_as_strace_prints_them() -> None:
    out = StringIO()
    with bench(Camera()) as machine:
        video = Video.open(machine)
        exporter = Strace(out)
        machine.kernel.engine.trace.subscribe(exporter.record)
        video.ask(io.VIDIOC_QUERYCAP, s.V4l2Capability())
        video.set_format(160, 120, v4l2.V4L2_PIX_FMT_YUYV)
        video.parm()
        video.request(1)
        video.queue(0)
        video.on()
        video.dequeue()
        video.set(cid.V4L2_CID_GAIN, 300)
        with pytest.raises(OSError, match="Errno 22"):
            video.ask(io.VIDIOC_QUERYMENU, s.V4l2Querymenu(cid.V4L2_CID_GAIN, 3))
        video.number(io.VIDIOC_S_INPUT, 0)
    lines = [line.split("ioctl(3, ", 1)[1] for line in out.getvalue().splitlines() if "ioctl(" in line]
    lines = [re.sub(r"tv_usec=\d+", "tv_usec=N", line) for line in lines]
    assert lines == [
        'VIDIOC_QUERYCAP, {driver="camera", card="Virtual camera", bus_info="platform:0:1", '
        "version=KERNEL_VERSION(6, 18, 0), capabilities=V4L2_CAP_VIDEO_CAPTURE|V4L2_CAP_EXT_PIX_FORMAT|"
        "V4L2_CAP_STREAMING|V4L2_CAP_DEVICE_CAPS, device_caps=V4L2_CAP_VIDEO_CAPTURE|"
        "V4L2_CAP_EXT_PIX_FORMAT|V4L2_CAP_STREAMING}) = 0",
        "VIDIOC_S_FMT, {type=V4L2_BUF_TYPE_VIDEO_CAPTURE, fmt.pix={width=160, height=120, "
        "pixelformat=v4l2_fourcc('Y', 'U', 'Y', 'V') /* V4L2_PIX_FMT_YUYV */, field=V4L2_FIELD_NONE, "
        "bytesperline=320, sizeimage=38400, colorspace=V4L2_COLORSPACE_SRGB}}) = 0",
        "VIDIOC_G_PARM, {type=V4L2_BUF_TYPE_VIDEO_CAPTURE, parm.capture={capability=V4L2_CAP_TIMEPERFRAME, "
        "capturemode=0, timeperframe=1/30, extendedmode=0, readbuffers=0}}) = 0",
        "VIDIOC_REQBUFS, {type=V4L2_BUF_TYPE_VIDEO_CAPTURE, memory=V4L2_MEMORY_MMAP, count=1}) = 0",
        "VIDIOC_QBUF, {type=V4L2_BUF_TYPE_VIDEO_CAPTURE, index=0, memory=V4L2_MEMORY_MMAP, m.offset=0, "
        f"length=38400, bytesused=0, flags=V4L2_BUF_FLAG_QUEUED|{MONOTONIC}, ...}}) = 0",
        "VIDIOC_STREAMON, [V4L2_BUF_TYPE_VIDEO_CAPTURE]) = 0",
        "VIDIOC_DQBUF, {type=V4L2_BUF_TYPE_VIDEO_CAPTURE, index=0, memory=V4L2_MEMORY_MMAP, m.offset=0, "
        f"length=38400, bytesused=38400, flags={MONOTONIC}, timestamp={{tv_sec=0, tv_usec=N}}, ...}}) = 0",
        "VIDIOC_S_CTRL, {id=V4L2_CID_GAIN, value=255}) = 0",
        "VIDIOC_QUERYMENU, {id=V4L2_CID_GAIN, index=3}) = -1 EINVAL (Invalid argument)",
        "VIDIOC_S_INPUT, [0])     = 0",
    ]
