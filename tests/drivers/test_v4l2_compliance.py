"""What v4l2-compliance checks of a capture device with mapped buffers, in our words: v4l-utils 1.30,
utils/v4l2-compliance.  Each test names the function there.  Arguments come filled with 0xff, as there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from simkernel import Machine
from simkernel.hardware import Camera
from simkernel.hardware.camera.registers import MODES
from simkernel.uapi import errno
from simkernel.uapi.ioctl import _IO, _IOR, _IOW, _IOWR
from simkernel.uapi.structure import Structure
from simkernel.uapi.version import LINUX_VERSION_CODE
from simkernel.uapi.video import ioctls as io
from simkernel.uapi.video import structures as s
from simkernel.uapi.video import videodev2 as v4l2
from tests.drivers.bench import bench
from tests.drivers.v4l2 import CAPTURE, MMAP, Video, filled

QUEUED, DONE = v4l2.V4L2_BUF_FLAG_QUEUED, v4l2.V4L2_BUF_FLAG_DONE
PREPARED, ERROR = v4l2.V4L2_BUF_FLAG_PREPARED, v4l2.V4L2_BUF_FLAG_ERROR
STATES = QUEUED | DONE | PREPARED | ERROR
OTHER_TYPES = [*range(2, 15), v4l2.V4L2_BUF_TYPE_PRIVATE]
FOURCCS = (v4l2.V4L2_PIX_FMT_GREY, v4l2.V4L2_PIX_FMT_YUYV, v4l2.V4L2_PIX_FMT_RGB24)


@pytest.fixture
def machine() -> Iterator[Machine]:
    with bench(Camera()) as machine:
        yield machine


@pytest.fixture
def video(machine: Machine) -> Video:
    return Video.open(machine)


def errno_of(video: Video, request: int, argument: Structure) -> int:
    """The errno of a request; 0 if it succeeds."""
    try:
        video.ask(request, argument)
    except OSError as error:
        return error.errno or 0
    return 0


def is_zero(data: bytes) -> bool:
    return not any(data)


# -- required ioctls ------------------------------------------------------------------------


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


def test_what_is_for_other_devices_is_not_there(video: Video) -> None:
    """And so is VIDIOC_EXPBUF: if it were there it would have to work."""
    for name in (
        *("EXPBUF", "G_STD", "S_STD", "ENUMSTD", "QUERYSTD", "G_TUNER", "G_AUDIO", "ENUMAUDIO", "G_OUTPUT"),
        *("ENUMOUTPUT", "G_FBUF", "OVERLAY", "CROPCAP", "G_CROP", "G_SELECTION", "S_SELECTION", "G_EDID"),
        *("G_DV_TIMINGS", "LOG_STATUS"),
    ):
        with pytest.raises(OSError, match=rf"^\[Errno {errno.ENOTTY}\]"):
            video.process.ioctl(video.fd, getattr(io, f"VIDIOC_{name}"), bytearray(256))


# -- inputs and formats -----------------------------------------------------------------------


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


# -- buffers --------------------------------------------------------------------------------------


def check(buffer: s.V4l2Buffer, index: int, states: int) -> None:
    """`buffer::check()` for one that is not dequeued."""
    assert (buffer.index, buffer.type, buffer.memory) == (index, CAPTURE, MMAP)
    assert (buffer.reserved2, buffer.request_fd) == (0, 0)
    assert buffer.flags & v4l2.V4L2_BUF_FLAG_TIMESTAMP_MASK == v4l2.V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC
    assert buffer.flags & STATES == states
    assert buffer.length
    assert (buffer.sequence, buffer.tv_sec, buffer.tv_usec) == (0, 0, 0)


def test_req_bufs(machine: Machine, video: Video) -> None:
    other = Video.open(machine)
    for argument in (
        s.V4l2Requestbuffers(0, 0, 0),
        s.V4l2Requestbuffers(0, CAPTURE, 0),
        s.V4l2Requestbuffers(1, CAPTURE, v4l2.V4L2_MEMORY_USERPTR),
        s.V4l2Requestbuffers(1, CAPTURE, v4l2.V4L2_MEMORY_DMABUF),
        *(s.V4l2Requestbuffers(1, type) for type in OTHER_TYPES),
    ):
        assert errno_of(video, io.VIDIOC_REQBUFS, argument) == errno.EINVAL
    given = video.ask(io.VIDIOC_REQBUFS, filled(s.V4l2Requestbuffers, count=1, type=CAPTURE, memory=MMAP))
    assert (given.count, given.flags, given.reserved) == (1, 0, bytes(3))
    assert given.capabilities == (
        v4l2.V4L2_BUF_CAP_SUPPORTS_MMAP
        | v4l2.V4L2_BUF_CAP_SUPPORTS_ORPHANED_BUFS
        | v4l2.V4L2_BUF_CAP_SUPPORTS_REMOVE_BUFS
    )
    assert video.request(1) == 1
    check(video.ask(io.VIDIOC_QUERYBUF, filled(s.V4l2Buffer, index=0, type=CAPTURE)), 0, 0)
    assert errno_of(video, io.VIDIOC_QUERYBUF, s.V4l2Buffer(1, CAPTURE)) == errno.EINVAL
    for count in (1, 0):
        assert errno_of(other, io.VIDIOC_REQBUFS, s.V4l2Requestbuffers(count, CAPTURE)) == errno.EBUSY
    assert other.query(0).length  # anybody may ask
    video.request(0)
    assert other.request(1) == 1
    other.request(0)
    assert video.request(1000) == v4l2.VIDEO_MAX_FRAME
    with pytest.raises(OSError, match=rf"^\[Errno {errno.EINVAL}\]"):
        video.process.read(video.fd, 1)


def create(video: Video, count: int, **changes: Any) -> s.V4l2CreateBuffers:
    pix = video.format()
    for name, value in changes.items():
        setattr(pix, name, value)
    wanted = filled(s.V4l2CreateBuffers, count=count, memory=MMAP, type=CAPTURE, fmt=pix.pack())
    return video.ask(io.VIDIOC_CREATE_BUFS, wanted)


def test_create_bufs(machine: Machine, video: Video) -> None:
    size = video.format().sizeimage
    other = Video.open(machine)
    nothing = create(video, 0)
    assert (nothing.index, nothing.count, nothing.max_num_buffers) == (0, 0, 32)
    assert nothing.capabilities & v4l2.V4L2_BUF_CAP_SUPPORTS_MAX_NUM_BUFFERS
    assert (nothing.flags, nothing.reserved) == (0, bytes(20))
    first, second = create(video, 1), create(video, 2, sizeimage=size + (1 << 20))
    assert [(each.index, each.count) for each in (first, second)] == [(0, 1), (1, 2)]
    assert [video.query(index).length for index in range(3)] == [size, size + (1 << 20), size + (1 << 20)]
    for wrong in (0, size // 2):
        with pytest.raises(OSError, match=rf"^\[Errno {errno.EINVAL}\]"):
            create(video, 1, sizeimage=wrong)
    with pytest.raises(OSError, match=rf"^\[Errno {errno.EBUSY}\]"):
        create(other, 1)
    assert create(other, 0).index == 3
    assert create(video, 40).count == 29
    with pytest.raises(OSError, match=rf"^\[Errno {errno.ENOBUFS}\]"):
        create(video, 1)


def remove(video: Video, index: int, count: int, type: int = CAPTURE) -> int:
    wanted = filled(s.V4l2RemoveBuffers, index=index, count=count, type=type)
    return errno_of(video, io.VIDIOC_REMOVE_BUFS, wanted)


def test_remove_bufs(video: Video) -> None:
    assert remove(video, 0, 0) == 0
    create(video, 1)
    assert remove(video, 1, 1) == errno.EINVAL
    assert remove(video, 0, 1) == 0
    assert remove(video, 0, 1) == errno.EINVAL
    create(video, 4)
    assert remove(video, 1, 2) == 0
    assert create(video, 3).index == 4
    present = [errno_of(video, io.VIDIOC_QUERYBUF, s.V4l2Buffer(index, CAPTURE)) == 0 for index in range(8)]
    assert present == [True, False, False, True, True, True, True, False]
    for index, count, type in (
        *((6, 1, 0), (6, 0, 0), (30, 7, CAPTURE), (3, 0xFFFFFFF, CAPTURE)),
        *((2, 2, CAPTURE), (0, 2, CAPTURE), (1, 2, CAPTURE)),
    ):
        assert remove(video, index, count, type) == errno.EINVAL
    assert remove(video, 0xFFFFFFFF, 0) == 0
    assert create(video, 2).index == 1  # the hole is filled
    assert remove(video, 0, 7) == 0
    video.request(1)
    video.queue(0)
    assert remove(video, 0, 1) == errno.EBUSY


def test_setup_mmap(video: Video) -> None:
    """A buffer's way to the queue; what must not be done with it at each step."""
    video.request(2)
    for index in range(2):
        check(video.query(index), index, 0)
        assert errno_of(video, io.VIDIOC_DQBUF, s.V4l2Buffer(index, CAPTURE)) == errno.EINVAL
        hints = v4l2.V4L2_BUF_FLAG_NO_CACHE_INVALIDATE | v4l2.V4L2_BUF_FLAG_NO_CACHE_CLEAN
        prepared = video.ask(io.VIDIOC_PREPARE_BUF, s.V4l2Buffer(index, CAPTURE, flags=hints))
        assert not prepared.flags & hints
        check(video.query(index), index, PREPARED)
        assert errno_of(video, io.VIDIOC_PREPARE_BUF, s.V4l2Buffer(index, CAPTURE)) == errno.EINVAL
        check(video.queue(index), index, QUEUED)
        for request in (io.VIDIOC_QBUF, io.VIDIOC_PREPARE_BUF):
            assert errno_of(video, request, s.V4l2Buffer(index, CAPTURE)) == errno.EINVAL
        beyond = s.V4l2Buffer(index + v4l2.VIDEO_MAX_FRAME, CAPTURE)
        for request in (io.VIDIOC_QBUF, io.VIDIOC_PREPARE_BUF, io.VIDIOC_QUERYBUF):
            assert errno_of(video, request, beyond) == errno.EINVAL
        check(video.query(index), index, QUEUED)


def test_what_a_program_cannot_say_of_a_buffer(video: Video) -> None:
    video.request(1)
    wrong = s.V4l2Buffer(0, CAPTURE, memory=v4l2.V4L2_MEMORY_USERPTR)
    assert errno_of(video, io.VIDIOC_QBUF, wrong) == errno.EINVAL
    request = s.V4l2Buffer(0, CAPTURE, flags=v4l2.V4L2_BUF_FLAG_REQUEST_FD, request_fd=3)
    assert errno_of(video, io.VIDIOC_QBUF, request) == errno.EBADR
    assert errno_of(video, io.VIDIOC_PREPARE_BUF, request) == errno.EINVAL
    for type in OTHER_TYPES:
        for number in (io.VIDIOC_QUERYBUF, io.VIDIOC_QBUF, io.VIDIOC_DQBUF):
            assert errno_of(video, number, s.V4l2Buffer(0, type)) == errno.EINVAL
    queued = video.ask(io.VIDIOC_QBUF, s.V4l2Buffer(0, CAPTURE, bytesused=7, flags=0x13F, sequence=9))
    check(queued, 0, QUEUED)
    assert (queued.bytesused, queued.flags & 0x138) == (0, 0)


def test_mmap(machine: Machine, video: Video) -> None:
    with pytest.raises(OSError, match=rf"^\[Errno {errno.EINVAL}\]"):
        video.on()  # no buffers
    video.off()
    video.request(2)
    video.off()
    for _ in range(2):  # ending a stream that was not begun gives the buffers back
        for index in range(2):
            video.queue(index)
        video.off()
        check(video.query(1), 1, 0)
    for index in range(2):
        video.queue(index)
    video.request(2)
    for index in range(2):
        video.queue(index)
    video.on()
    video.on()
    last = -1
    for _ in range(5):
        buffer = video.dequeue()
        assert not buffer.flags & STATES
        assert 0 < buffer.bytesused <= buffer.length
        assert buffer.tv_sec or buffer.tv_usec
        assert buffer.sequence == last + 1
        last = buffer.sequence
        again = video.ask(io.VIDIOC_QBUF, buffer)
        assert not again.flags & DONE
        check(again, buffer.index, QUEUED)
    assert errno_of(video, io.VIDIOC_REQBUFS, s.V4l2Requestbuffers(2, CAPTURE)) == errno.EBUSY
    other = Video.open(machine)
    for number in (io.VIDIOC_STREAMON, io.VIDIOC_STREAMOFF):
        with pytest.raises(OSError, match=rf"^\[Errno {errno.EBUSY}\]"):
            other.number(number, CAPTURE)
        with pytest.raises(OSError, match=rf"^\[Errno {errno.EINVAL}\]"):
            video.number(number, CAPTURE + 1)
    video.off()
    video.off()
    video.request(0)
