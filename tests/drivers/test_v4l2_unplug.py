"""A camera that is unplugged while programs have its video device open. Sources: v4l2-dev.c, vb2."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simkernel import Machine, micros, millis
from simkernel.hardware import Camera
from simkernel.uapi import errno
from simkernel.uapi.fcntl import O_NONBLOCK, O_RDWR
from simkernel.uapi.poll import POLLERR, POLLHUP, POLLIN, POLLPRI
from simkernel.uapi.video import ioctls as io
from simkernel.uapi.video import structures as s
from tests.drivers.bench import bench, check_nothing_left
from tests.drivers.v4l2 import CAPTURE, NODE, Video
from tests.examples import examples


def fails(number: int) -> Any:
    return pytest.raises(OSError, match=rf"^\[Errno {number}\]")


def settle(machine: Machine, time: int = millis(50)) -> None:
    machine.run(until=machine.now + time)


def test_calls_after_the_unplug() -> None:
    device = Camera()
    with bench(device) as machine:
        video = Video.open(machine)
        maps = video.start()
        buffer = video.dequeue()
        frame = maps[buffer.index][: buffer.bytesused]
        machine.unplug(device)
        settle(machine)
        for request, argument in (
            (io.VIDIOC_QUERYCAP, s.V4l2Capability()),
            (io.VIDIOC_DQBUF, s.V4l2Buffer(0, CAPTURE)),
            (io.VIDIOC_DQEVENT, s.V4l2Event()),
            (0x1234, s.V4l2Control()),
        ):
            with fails(errno.ENODEV):
                video.ask(request, argument)
        with fails(errno.ENODEV):
            video.map(0)
        assert video.poll(POLLIN) == POLLERR | POLLHUP
        assert video.poll(POLLPRI) == POLLERR | POLLHUP | POLLPRI
        assert maps[buffer.index][: buffer.bytesused] == frame  # mappings stay
        with fails(errno.ENOENT):
            Video.open(machine)
        assert machine.statistics["dma"]["allotted"] == 0
        machine.plug(device)
        settle(machine)
        # The open file still uses the name video0.
        assert Video.open(machine, path="/dev/video1").format().width == 640
        for each in maps:
            each.close()
        video.close()
        settle(machine)
        machine.unplug(device)
        settle(machine)
        machine.plug(device)
        settle(machine)
        Video.open(machine).close()
        machine.unplug(device)
        settle(machine)


async def sleeper(app: Any, request: int, argument: bytearray, seen: list[int]) -> None:
    fd = await app.open(NODE, O_RDWR)
    await app.ioctl(fd, io.VIDIOC_REQBUFS, bytearray(s.V4l2Requestbuffers(1, CAPTURE).pack()))
    await app.ioctl(fd, io.VIDIOC_STREAMON, bytearray(CAPTURE.to_bytes(4, "little")))
    for _ in range(2):
        try:
            await app.ioctl(fd, request, argument)
        except OSError as error:
            seen.append(error.errno or 0)


@pytest.mark.parametrize(
    ("request_", "size", "expected"),
    [
        # vb2_video_unregister_device() ends the stream, so a sleeping VIDIOC_DQBUF fails with EINVAL.
        (io.VIDIOC_DQBUF, s.V4l2Buffer.SIZE, [errno.EINVAL, errno.ENODEV]),
        (io.VIDIOC_DQEVENT, s.V4l2Event.SIZE, [errno.ENODEV, errno.ENODEV]),
    ],
)
def test_a_sleeper_is_woken(request_: int, size: int, expected: list[int]) -> None:
    device = Camera()
    with bench(device) as machine:
        seen: list[int] = []
        argument = bytearray(size)
        argument[4] = CAPTURE
        machine.spawn(sleeper, request_, argument, seen)
        settle(machine)
        assert seen == []
        machine.unplug(device)
        settle(machine)
        assert seen == expected
        check_nothing_left(machine, machine.blocking())


async def careless(app: Any, seen: list[int]) -> None:
    """Stream until a call fails, and record the errno of this call."""
    try:
        fd = await app.open(NODE, O_RDWR | O_NONBLOCK)
        await app.ioctl(fd, io.VIDIOC_REQBUFS, bytearray(s.V4l2Requestbuffers(3, CAPTURE).pack()))
        maps = [await app.mmap(fd, 4096, offset=index << 15) for index in range(2)]
        for index in range(3):
            await app.ioctl(fd, io.VIDIOC_QBUF, bytearray(s.V4l2Buffer(index, CAPTURE).pack()))
        await app.ioctl(fd, io.VIDIOC_STREAMON, bytearray(CAPTURE.to_bytes(4, "little")))
        while True:
            await app.poll([(fd, POLLIN)])
            buffer = bytearray(s.V4l2Buffer(0, CAPTURE).pack())
            await app.ioctl(fd, io.VIDIOC_DQBUF, buffer)
            assert len(maps[0][:64]) == 64
            await app.ioctl(fd, io.VIDIOC_QBUF, buffer)
    except OSError as error:
        seen.append(error.errno or 0)


@settings(max_examples=examples(50))
@given(st.integers(0, 120_000), st.integers(0, 90_000), st.booleans())
def test_unplug_at_any_instant(out: int, back: int, again: bool) -> None:
    """The unplug may interrupt power-up, exposure, read-out or a request. The program gets an error, and the
    driver leaves nothing behind.
    """
    device, seen = Camera(), []
    with bench(device) as machine:
        program = machine.spawn(careless, seen)
        machine.run(until=machine.now + micros(out))
        machine.unplug(device)
        if again:
            machine.run(until=machine.now + micros(back))
            machine.plug(device)
        settle(machine, millis(200))
        if program.alive:  # the program opened the camera after it was plugged in again
            assert again
            program.kill(9)
            settle(machine)
        if again:
            video = Video.open(machine)
            video.start(2)
            assert video.dequeue().bytesused == 640 * 480 * 2
            video.process.exit()
            machine.unplug(device)
            settle(machine)
        assert set(seen) <= {errno.ENODEV, errno.ENOENT}
        check_nothing_left(machine, machine.blocking())
