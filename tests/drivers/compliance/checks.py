"""Checks that the tests share: the rules of v4l2-compliance for a capture device with mapped buffers.

The rules are those of v4l-utils 1.30 and later, utils/v4l2-compliance; each test here is named after the
function there, and says which rule it is where the code does not.  Arguments come filled with 0xff, as
there.
"""

from __future__ import annotations

from typing import Final

from simkernel.uapi.structure import Structure
from simkernel.uapi.video import structures as s
from simkernel.uapi.video import videodev2 as v4l2
from tests.drivers.v4l2 import CAPTURE, MMAP, Video

QUEUED, DONE = v4l2.V4L2_BUF_FLAG_QUEUED, v4l2.V4L2_BUF_FLAG_DONE
PREPARED, ERROR = v4l2.V4L2_BUF_FLAG_PREPARED, v4l2.V4L2_BUF_FLAG_ERROR
STATES: Final = QUEUED | DONE | PREPARED | ERROR
OTHER_TYPES: Final = (*range(2, 15), v4l2.V4L2_BUF_TYPE_PRIVATE)
FOURCCS: Final = (v4l2.V4L2_PIX_FMT_GREY, v4l2.V4L2_PIX_FMT_YUYV, v4l2.V4L2_PIX_FMT_RGB24)


def errno_of(video: Video, request: int, argument: Structure) -> int:
    """Return the errno of a request, or 0 if it succeeds."""
    try:
        video.ask(request, argument)
    except OSError as error:
        return error.errno or 0
    return 0


def is_zero(data: bytes) -> bool:
    """Return True if all bytes are zero, as reserved fields must be."""
    return not any(data)


def check_waiting(buffer: s.V4l2Buffer, index: int, states: int) -> None:
    """Check the fields of a buffer that the program has not dequeued, as v4l2-compliance's `buffer::check()`
    does. The buffer's state flags must equal `states`.
    """
    assert (buffer.index, buffer.type, buffer.memory) == (index, CAPTURE, MMAP)
    assert (buffer.reserved2, buffer.request_fd) == (0, 0)
    assert buffer.flags & v4l2.V4L2_BUF_FLAG_TIMESTAMP_MASK == v4l2.V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC
    assert buffer.flags & STATES == states
    assert buffer.length
    assert (buffer.sequence, buffer.tv_sec, buffer.tv_usec) == (0, 0, 0)


def check_taken(buffer: s.V4l2Buffer, last: s.V4l2Buffer | None) -> None:
    """Check the fields of a dequeued buffer, as v4l2-compliance's `buffer::check()` does. `last` is the
    previously dequeued buffer, or None.
    """
    assert (buffer.type, buffer.memory, buffer.field) == (CAPTURE, MMAP, v4l2.V4L2_FIELD_NONE)
    assert (buffer.reserved2, buffer.request_fd) == (0, 0)
    assert buffer.flags & v4l2.V4L2_BUF_FLAG_TIMESTAMP_MASK == v4l2.V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC
    assert not buffer.flags & STATES
    assert 0 < buffer.bytesused <= buffer.length
    assert buffer.tv_sec or buffer.tv_usec
    assert buffer.sequence == (0 if last is None else last.sequence + 1)
    if last is not None:
        assert (buffer.tv_sec, buffer.tv_usec) > (last.tv_sec, last.tv_usec)
