"""A recorder keeps the buffers of an unplugged camera mapped. The next camera therefore gets another device
number.

After https://github.com/vladimirvivien/go4vl/pull/126 (a mapping keeps the device open after the
descriptor is closed) and https://github.com/ZoneMinder/zoneminder/issues/3724.
"""

from __future__ import annotations

from typing import Any

from simkernel.uapi.fcntl import O_RDWR
from simkernel.uapi.video import ioctls as io
from simkernel.uapi.video import structures as s
from simkernel.uapi.video import videodev2 as v4l2
from tests.planted.bug import Bug

CAPTURE = v4l2.V4L2_BUF_TYPE_VIDEO_CAPTURE
NODE = "/dev/video0"
BUFFERS = 2
FRAMES = 2


async def record(app: Any, frames: list[int], sound: bool) -> None:
    """Record some frames of the camera, then unmap the buffers. If `sound` is true, unmap the buffers also if
    a request fails.
    """
    try:
        fd = await app.open(NODE, O_RDWR)
    except OSError:
        return  # The camera is gone already.
    maps = []
    try:
        await app.ioctl(fd, io.VIDIOC_REQBUFS, bytearray(s.V4l2Requestbuffers(BUFFERS, CAPTURE).pack()))
        for index in range(BUFFERS):
            query = bytearray(s.V4l2Buffer(index, CAPTURE).pack())
            await app.ioctl(fd, io.VIDIOC_QUERYBUF, query)
            buffer = s.V4l2Buffer.unpack(query)
            maps.append(await app.mmap(fd, buffer.length, offset=buffer.m))
            await app.ioctl(fd, io.VIDIOC_QBUF, bytearray(s.V4l2Buffer(index, CAPTURE).pack()))
        await app.ioctl(fd, io.VIDIOC_STREAMON, bytearray(CAPTURE.to_bytes(4, "little")))
        for _ in range(FRAMES):
            taken = bytearray(s.V4l2Buffer(0, CAPTURE).pack())
            await app.ioctl(fd, io.VIDIOC_DQBUF, taken)
            frames.append(s.V4l2Buffer.unpack(taken).sequence)
            await app.ioctl(fd, io.VIDIOC_QBUF, taken)
    except OSError:
        if not sound:
            await app.close(fd)
            return
    for each in maps:
        await each.close()
    await app.close(fd)


async def recorder(app: Any, frames: list[int], sound: bool) -> None:
    """Record from each camera that is plugged in."""
    monitor = await app.uevents()
    if await app.access(NODE, 0):
        await record(app, frames, sound)
    async for event in monitor:
        if event.action == "add" and event.variables.get("SUBSYSTEM") == "video4linux":
            await record(app, frames, sound)


async def body(app: Any, sim: Any, sound: bool) -> None:
    """A camera is unplugged at an arbitrary step of a recorder, and then plugged in again."""
    frames: list[int] = []
    sim.any_step(sim.unplug, "camera0")
    await app.sleep(0.01)
    await app.spawn(recorder, frames, sound)
    await sim.quiet()
    frames.clear()
    sim.unplug("camera0")
    await sim.quiet()
    sim.plug("camera0")
    await sim.quiet()
    assert len(frames) == FRAMES, frames


BUG = Bug(body, devices=("camera",))
