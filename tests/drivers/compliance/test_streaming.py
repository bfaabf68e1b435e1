"""Frames in mapped buffers, for each way of waiting (v4l2-test-buffers.cpp).

The tests follow `testMmap()`, `testBlockingWait()` and the streams of all formats.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from simkernel import Machine, seconds
from simkernel.hardware.camera.registers import MODES
from simkernel.uapi import errno
from simkernel.uapi.fcntl import F_GETFL, F_SETFL, O_NONBLOCK, O_RDWR
from simkernel.uapi.poll import POLLIN
from simkernel.uapi.video import ioctls as io
from simkernel.uapi.video import structures as s
from tests.drivers.compliance.checks import (
    DONE,
    FOURCCS,
    QUEUED,
    check_taken,
    check_waiting,
    errno_of,
)
from tests.drivers.v4l2 import CAPTURE, NODE, Video, is_whole

TIMEOUT = 2.0
"""Seconds in which a frame must arrive."""
Wait = Callable[[], Any]


def by_nothing(video: Video) -> Wait:
    return lambda: None


def by_select(video: Video) -> Wait:
    def wait() -> None:
        assert video.process.select([video.fd], [], [], TIMEOUT) == ([video.fd], [], [])

    return wait


def by_epoll(video: Video) -> Wait:
    """Return a function that waits with epoll. The program registers the device without events and then adds
    POLLIN. The driver must still wake the program.
    """
    epoll = video.process.epoll()
    epoll.register(video.fd, 0)
    epoll.modify(video.fd, POLLIN)

    def wait() -> None:
        assert epoll.poll(TIMEOUT) == [(video.fd, POLLIN)]

    return wait


def test_mmap_before_a_stream(video: Video) -> None:
    """STREAMON fails with EINVAL if no buffers are allocated. STREAMOFF always succeeds, and removes all
    buffers from the queue.
    """
    with pytest.raises(OSError, match=rf"^\[Errno {errno.EINVAL}\]"):
        video.on()
    video.off()
    video.request(2)
    video.off()
    for _ in range(2):
        for index in range(2):
            assert not video.queue(index).flags & DONE
        video.off()
        check_waiting(video.query(1), 1, 0)


@pytest.mark.parametrize("way", [by_nothing, by_select, by_epoll])
def test_mmap(video: Video, way: Callable[[Video], Wait]) -> None:
    """A stream delivers whole frames on a blocking and on a non-blocking descriptor. A second STREAMON or
    STREAMOFF succeeds.
    """
    video.request(3)
    for index in range(3):
        video.queue(index)
    video.request(3)  # VIDIOC_REQBUFS frees the queued buffers
    maps = [video.map(index) for index in range(3)]
    for index in range(3):
        video.queue(index)
    video.on()
    video.on()
    wait = way(video)
    if way is not by_nothing:
        flags = video.process.fcntl(video.fd, F_GETFL)
        video.process.fcntl(video.fd, F_SETFL, flags | O_NONBLOCK)
    last = None
    for _ in range(10):
        wait()
        buffer = video.dequeue()
        check_taken(buffer, last)
        assert is_whole(maps[buffer.index][: buffer.bytesused])
        again = video.ask(io.VIDIOC_QBUF, buffer)
        check_waiting(again, buffer.index, QUEUED)
        last = buffer
    video.off()
    video.off()
    assert errno_of(video, io.VIDIOC_DQBUF, s.V4l2Buffer(0, CAPTURE)) == errno.EINVAL


def test_mmap_of_another_file(machine: Machine, video: Video) -> None:
    """A descriptor that has not requested the buffers cannot change the stream. Other buffer types are
    refused.
    """
    video.start(2)
    assert errno_of(video, io.VIDIOC_REQBUFS, s.V4l2Requestbuffers(2, CAPTURE)) == errno.EBUSY
    other = Video.open(machine)
    for number in (io.VIDIOC_STREAMON, io.VIDIOC_STREAMOFF):
        with pytest.raises(OSError, match=rf"^\[Errno {errno.EBUSY}\]"):
            other.number(number, CAPTURE)
        with pytest.raises(OSError, match=rf"^\[Errno {errno.EINVAL}\]"):
            video.number(number, CAPTURE + 1)
    video.number(io.VIDIOC_S_INPUT, 0)  # the current format may be set while streaming
    assert video.dequeue().sequence == 0


def test_nothing_but_mmap(video: Video) -> None:
    """V4L2_CAP_READWRITE is missing, so read, USERPTR and DMABUF are refused (`testReadWrite()` and
    others).
    """
    with pytest.raises(OSError, match=rf"^\[Errno {errno.EINVAL}\]"):
        video.process.read(video.fd, 1)
    for memory in (2, 4):
        assert errno_of(video, io.VIDIOC_REQBUFS, s.V4l2Requestbuffers(1, CAPTURE, memory)) == errno.EINVAL


def test_blocking_wait(machine: Machine) -> None:
    """A thread that sleeps in VIDIOC_DQBUF does not block another thread's STREAMOFF."""

    async def waits(app: Any, fd: int, seen: list[object]) -> None:
        try:
            await app.ioctl(fd, io.VIDIOC_DQBUF, bytearray(s.V4l2Buffer(0, CAPTURE).pack()))
        except OSError as error:
            seen.append(error.errno)

    async def stops(app: Any, fd: int, seen: list[object]) -> None:
        await app.ioctl(fd, io.VIDIOC_STREAMOFF, CAPTURE.to_bytes(4, "little"))
        seen.append("stopped")

    async def program(app: Any, seen: list[object]) -> None:
        fd = await app.open(NODE, O_RDWR)
        await app.ioctl(fd, io.VIDIOC_REQBUFS, bytearray(s.V4l2Requestbuffers(2, CAPTURE).pack()))
        await app.ioctl(fd, io.VIDIOC_STREAMON, CAPTURE.to_bytes(4, "little"))
        await app.thread(waits, fd, seen)
        await app.sleep(1)
        seen.append("asleep")
        await app.thread(stops, fd, seen)
        await app.sleep(3)

    seen: list[object] = []
    machine.spawn(program, seen)
    machine.run(until=machine.now + seconds(5))
    assert seen[0] == "asleep"
    assert set(seen[1:]) == {"stopped", errno.EINVAL}


@pytest.mark.parametrize("fourcc", FOURCCS)
@pytest.mark.parametrize("mode", MODES)
def test_all_formats(video: Video, fourcc: int, mode: Any) -> None:
    """Each format streams at each size, at the shortest and the longest interval (`streamAllFormats()`).

    The test takes the frames of one second, so an interval is a second at most.
    """
    size = {"pixel_format": fourcc, "width": mode.width, "height": mode.height}
    bounds = s.V4l2FrmivalStepwise.unpack(
        video.ask(io.VIDIOC_ENUM_FRAMEINTERVALS, s.V4l2Frmivalenum(0, **size)).union
    )
    least = (bounds.min_numerator, bounds.min_denominator)
    most = (bounds.max_numerator, bounds.max_denominator)
    for numerator, denominator in (least, most):
        assert numerator <= denominator
        given = video.set_format(mode.width, mode.height, fourcc)
        assert (given.width, given.height, given.pixelformat) == (mode.width, mode.height, fourcc)
        parm = video.parm(io.VIDIOC_S_PARM, numerator=numerator, denominator=denominator)
        assert (parm.numerator, parm.denominator) == (numerator, denominator)
        maps = video.start(3)
        last = None
        for _ in range(2):
            buffer = video.dequeue()
            check_taken(buffer, last)
            assert buffer.bytesused == given.sizeimage
            assert is_whole(maps[buffer.index][: buffer.bytesused])
            last = buffer
        video.off()
        for each in maps:
            each.close()
        video.request(0)
