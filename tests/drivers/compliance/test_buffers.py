"""Requests that create, remove and prepare buffers, and the file that owns the buffers
(v4l2-test-buffers.cpp).
"""

from __future__ import annotations

from typing import Any

import pytest

from simkernel import Machine
from simkernel.uapi import errno
from simkernel.uapi.video import ioctls as io
from simkernel.uapi.video import structures as s
from simkernel.uapi.video import videodev2 as v4l2
from tests.drivers.compliance.checks import OTHER_TYPES, PREPARED, QUEUED, check_waiting, errno_of
from tests.drivers.v4l2 import CAPTURE, MMAP, Video, filled


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
    check_waiting(video.ask(io.VIDIOC_QUERYBUF, filled(s.V4l2Buffer, index=0, type=CAPTURE)), 0, 0)
    assert errno_of(video, io.VIDIOC_QUERYBUF, s.V4l2Buffer(1, CAPTURE)) == errno.EINVAL
    for count in (1, 0):
        assert errno_of(other, io.VIDIOC_REQBUFS, s.V4l2Requestbuffers(count, CAPTURE)) == errno.EBUSY
    assert other.query(0).length  # any descriptor may query a buffer
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
    assert create(video, 2).index == 1  # reuses the free index
    assert remove(video, 0, 7) == 0
    video.request(1)
    video.queue(0)
    assert remove(video, 0, 1) == errno.EBUSY


def test_setup_mmap(video: Video) -> None:
    """Each buffer is prepared and then queued. In each of its states, the requests that are not allowed fail
    with EINVAL.
    """
    video.request(2)
    for index in range(2):
        check_waiting(video.query(index), index, 0)
        assert errno_of(video, io.VIDIOC_DQBUF, s.V4l2Buffer(index, CAPTURE)) == errno.EINVAL
        hints = v4l2.V4L2_BUF_FLAG_NO_CACHE_INVALIDATE | v4l2.V4L2_BUF_FLAG_NO_CACHE_CLEAN
        prepared = video.ask(io.VIDIOC_PREPARE_BUF, s.V4l2Buffer(index, CAPTURE, flags=hints))
        assert not prepared.flags & hints
        check_waiting(video.query(index), index, PREPARED)
        assert errno_of(video, io.VIDIOC_PREPARE_BUF, s.V4l2Buffer(index, CAPTURE)) == errno.EINVAL
        check_waiting(video.queue(index), index, QUEUED)
        for request in (io.VIDIOC_QBUF, io.VIDIOC_PREPARE_BUF):
            assert errno_of(video, request, s.V4l2Buffer(index, CAPTURE)) == errno.EINVAL
        beyond = s.V4l2Buffer(index + v4l2.VIDEO_MAX_FRAME, CAPTURE)
        for request in (io.VIDIOC_QBUF, io.VIDIOC_PREPARE_BUF, io.VIDIOC_QUERYBUF):
            assert errno_of(video, request, beyond) == errno.EINVAL
        check_waiting(video.query(index), index, QUEUED)


def test_wrong_fields_of_a_buffer_are_refused(video: Video) -> None:
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
    check_waiting(queued, 0, QUEUED)
    assert (queued.bytesused, queued.flags & 0x138) == (0, 0)
