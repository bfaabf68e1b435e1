"""A camera used through /dev/video0: formats, frames, memory and waiting."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from simkernel import Machine, millis
from simkernel.hardware import Camera
from simkernel.hardware.camera.registers import FOOTER, FOOTER_SIZE, MODES
from simkernel.uapi import errno, stat
from simkernel.uapi.fcntl import O_RDWR
from simkernel.uapi.mman import MAP_PRIVATE, MAP_SHARED, PROT_READ, PROT_WRITE
from simkernel.uapi.poll import POLLERR, POLLIN, POLLPRI, POLLRDNORM
from simkernel.uapi.video import ioctls as io
from simkernel.uapi.video import structures as s
from simkernel.uapi.video import videodev2 as v4l2
from tests.drivers.bench import bench, check_frames
from tests.drivers.v4l2 import CAPTURE, NODE, Video, is_whole


@pytest.fixture
def machine() -> Iterator[Machine]:
    with bench(Camera()) as machine:
        yield machine


@pytest.fixture
def video(machine: Machine) -> Video:
    video = Video.open(machine)
    video.set_format(160, 120)
    return video


def fails(number: int) -> Any:
    return pytest.raises(OSError, match=rf"^\[Errno {number}\]")


def settle(machine: Machine, time: int = millis(50)) -> None:
    machine.run(until=machine.now + time)


# -- the node ---------------------------------------------------------------------------


def test_the_node_is_for_the_group_video(machine: Machine) -> None:
    """The kernel creates the node for root only; a rule of udevd gives it to the group."""
    root = machine.blocking()
    status = root.stat(NODE)
    assert (status.st_mode, status.st_rdev) == (stat.S_IFCHR | 0o660, 81 << 8)
    assert (status.st_uid, status.st_gid) == (0, 44)
    with fails(errno.EACCES):
        machine.blocking(uid=1000).open(NODE, O_RDWR)
    assert Video.open(machine, process=machine.blocking(uid=1000, gid=44)).format().width == 640
    with bench(Camera(), udev=False) as other:
        other.blocking().modprobe("camera")
        assert other.blocking().stat(NODE).st_mode == stat.S_IFCHR | 0o600


def test_attributes_in_sysfs(machine: Machine) -> None:
    root = machine.blocking()
    machine.plug(Camera())
    settle(machine)
    assert sorted(root.listdir("/sys/class/video4linux")) == ["video0", "video1"]
    assert root.read_file("/sys/class/video4linux/video1/name") == b"Virtual camera\n"
    assert root.read_file("/sys/class/video4linux/video1/index") == b"0\n"
    assert root.read_file("/sys/class/video4linux/video1/dev") == b"81:1\n"
    assert b" 81 video4linux\n" in root.read_file("/proc/devices")


def test_variables_of_the_uevents(machine: Machine) -> None:
    monitor = machine.blocking().uevents()
    machine.plug(Camera())
    seen = [next(monitor) for _ in range(4)]
    node = next(dict(each.variables) for each in seen if each.devpath.endswith("/video1"))
    assert node["SUBSYSTEM"] == "video4linux"
    assert (node["MAJOR"], node["MINOR"], node["DEVNAME"]) == ("81", "1", "video1")


def test_the_module_stays_while_a_file_is_open(machine: Machine) -> None:
    video, root = Video.open(machine), machine.blocking()
    with fails(errno.EBUSY):
        root.rmmod("camera")
    video.close()
    root.rmmod("camera")
    root.rmmod("video")
    with fails(errno.ENOENT):
        Video.open(machine)


# -- frames -------------------------------------------------------------------------------


def test_frames_come_whole_and_in_order(video: Video) -> None:
    maps = video.start()
    seen = []
    for _ in range(12):
        buffer = video.dequeue()
        frame = maps[buffer.index][: buffer.bytesused]
        assert len(frame) == 160 * 120
        assert is_whole(frame)
        _, sequence, exposure_start, _ = FOOTER.unpack(frame[-FOOTER_SIZE:])
        assert buffer.sequence == sequence
        assert buffer.tv_sec * 1_000_000 + buffer.tv_usec == exposure_start // 1000
        assert buffer.field == v4l2.V4L2_FIELD_NONE
        assert buffer.flags == (
            v4l2.V4L2_BUF_FLAG_MAPPED
            | v4l2.V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC
            | v4l2.V4L2_BUF_FLAG_TSTAMP_SRC_SOE
        )
        seen.append(sequence)
        video.queue(buffer.index)
    assert seen == list(range(12))


@pytest.mark.parametrize("fourcc", [v4l2.V4L2_PIX_FMT_GREY, v4l2.V4L2_PIX_FMT_YUYV, v4l2.V4L2_PIX_FMT_RGB24])
def test_every_format_fills_its_buffer(video: Video, fourcc: int) -> None:
    pix = video.set_format(320, 240, fourcc)
    (frames,) = video.start(1)
    buffer = video.dequeue()
    assert buffer.bytesused == buffer.length == pix.sizeimage
    assert is_whole(frames[: buffer.bytesused])


def test_a_program_that_gives_no_buffers_back_loses_frames(machine: Machine, video: Video) -> None:
    """V4L2 does not overwrite a dequeued buffer, so the device has no buffer to fill."""
    maps = video.start(2)
    first = video.dequeue()
    kept = maps[first.index][:]
    video.dequeue()
    settle(machine, millis(500))
    assert maps[first.index][:] == kept
    video.queue(first.index)
    later = video.dequeue()
    assert later.index == first.index
    assert later.sequence > first.sequence + 10
    counters = machine.blocking().genetlink("camera").do("get-statistics")
    check_frames(counters)
    assert counters["lost"] >= later.sequence - 2


def test_a_frame_that_could_not_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """If a frame cannot be written to memory, the driver returns an empty buffer with V4L2_BUF_FLAG_ERROR.
    If the program queues this buffer again, the driver fills it normally.
    """
    device = Camera()
    with bench(device) as machine:
        video = Video.open(machine)
        maps = video.start(2)
        assert video.dequeue().sequence == 0
        write = device.dma_write
        monkeypatch.setattr(device, "dma_write", lambda at, *parts: len(parts) == 1 and write(at, *parts))
        bad = video.dequeue()
        monkeypatch.undo()
        assert (bad.sequence, bad.bytesused) == (1, 0)
        assert bad.flags & v4l2.V4L2_BUF_FLAG_ERROR
        video.queue(bad.index)
        good = video.dequeue()
        assert (good.index, good.sequence) == (bad.index, 2)
        assert not good.flags & v4l2.V4L2_BUF_FLAG_ERROR
        assert is_whole(maps[good.index][: good.bytesused])
        check_frames(machine.blocking().genetlink("camera").do("get-statistics"))


def test_a_frame_keeps_its_flow_in_a_trace(machine: Machine, video: Video) -> None:
    """The trace record of the return from VIDIOC_DQBUF has the same flow id as the start of the frame, even
    if the frame has arrived before the call.
    """
    begun: list[int] = []
    ended: list[int] = []

    def note(record: Any) -> None:
        if record.name == "frame_start":
            begun.append(record.flow)
        elif record.name == "sys_exit":
            ended.append(record.flow)

    machine.kernel.engine.trace.subscribe(note)
    video.start(2)
    settle(machine, millis(150))
    ended.clear()
    assert [video.dequeue().sequence for _ in range(2)] == [0, 1]
    assert ended == begun[:2]


def test_a_stream_can_be_stopped_and_started_again(video: Video) -> None:
    video.start()
    assert [video.dequeue().sequence for _ in range(2)] == [0, 1]
    video.off()
    assert all(not video.query(index).flags & v4l2.V4L2_BUF_FLAG_QUEUED for index in range(4))
    for index in (3, 2):
        video.queue(index)
    video.on()
    assert [(buffer.sequence, buffer.index) for buffer in (video.dequeue(), video.dequeue())] == [
        (0, 3),
        (1, 2),
    ]


def test_the_interval_is_the_requested_one(video: Video) -> None:
    assert video.parm().capability == v4l2.V4L2_CAP_TIMEPERFRAME
    parm = video.parm(io.VIDIOC_S_PARM, numerator=1, denominator=50)
    assert (parm.numerator, parm.denominator) == (1, 50)
    video.start()
    times = []
    for _ in range(3):
        buffer = video.dequeue()
        times.append(buffer.tv_sec * 1_000_000 + buffer.tv_usec)
        video.queue(buffer.index)
    assert times[1] - times[0] == times[2] - times[1] == 20_000
    with fails(errno.EBUSY):
        video.parm(io.VIDIOC_S_PARM, numerator=1, denominator=10)


def test_the_interval_is_within_the_limits_of_the_mode(video: Video) -> None:
    fastest = video.parm(io.VIDIOC_S_PARM, numerator=1, denominator=1000)
    limit = video.ask(
        io.VIDIOC_ENUM_FRAMEINTERVALS,
        s.V4l2Frmivalenum(pixel_format=v4l2.V4L2_PIX_FMT_GREY, width=160, height=120),
    )
    assert limit.type == v4l2.V4L2_FRMIVAL_TYPE_CONTINUOUS
    bounds = s.V4l2FrmivalStepwise.unpack(limit.union)
    assert (fastest.numerator, fastest.denominator) == (bounds.min_numerator, bounds.min_denominator)
    usual = video.parm(io.VIDIOC_S_PARM)
    assert (usual.numerator, usual.denominator) == (1, 30)
    slowest = video.parm(io.VIDIOC_S_PARM, numerator=100, denominator=1)
    assert (slowest.numerator, slowest.denominator) == (bounds.max_numerator, bounds.max_denominator)


# -- formats ------------------------------------------------------------------------------


def test_each_listed_format_can_be_set(video: Video) -> None:
    formats = [video.ask(io.VIDIOC_ENUM_FMT, s.V4l2Fmtdesc(index, CAPTURE)).pixelformat for index in range(3)]
    for fourcc in formats:
        for index, mode in enumerate(MODES):
            size = video.ask(io.VIDIOC_ENUM_FRAMESIZES, s.V4l2Frmsizeenum(index, fourcc))
            discrete = s.V4l2FrmsizeDiscrete.unpack(size.union)
            assert (discrete.width, discrete.height) == (mode.width, mode.height)
            given = video.set_format(mode.width, mode.height, fourcc)
            assert given == video.format()
            assert given.sizeimage == given.bytesperline * given.height
    with fails(errno.EINVAL):
        video.ask(io.VIDIOC_ENUM_FMT, s.V4l2Fmtdesc(3, CAPTURE))
    with fails(errno.EINVAL):
        video.ask(io.VIDIOC_ENUM_FRAMESIZES, s.V4l2Frmsizeenum(len(MODES), formats[0]))


@pytest.mark.parametrize(
    ("wanted", "given"), [((1, 1), (160, 120)), ((700, 500), (640, 480)), ((9999, 9999), (1920, 1080))]
)
def test_the_nearest_size_is_taken(video: Video, wanted: tuple[int, int], given: tuple[int, int]) -> None:
    pix = video.format(io.VIDIOC_TRY_FMT, width=wanted[0], height=wanted[1], pixelformat=1)
    assert (pix.width, pix.height) == given
    assert pix.pixelformat == v4l2.V4L2_PIX_FMT_YUYV
    assert video.format().width == 160  # VIDIOC_TRY_FMT sets nothing


def test_netlink_and_v4l2_set_the_same_format(machine: Machine, video: Video) -> None:
    camera = machine.blocking().genetlink("camera")
    camera.do("set-format", width=800, height=600, pixel_format="RGB24")
    pix = video.format()
    assert (pix.width, pix.height, pix.pixelformat) == (800, 600, v4l2.V4L2_PIX_FMT_RGB24)
    video.set_format(640, 480)
    assert camera.do("get-format")["pixel-format"] == "GREY"
    video.request(1)
    with fails(errno.EBUSY):
        camera.do("set-format", width=160, height=120)
    with fails(errno.EBUSY):
        video.set_format(160, 120)
    video.request(0)
    camera.do("set-format", width=160, height=120)


# -- the two ways to stream -----------------------------------------------------------------


def test_one_streams_at_a_time(machine: Machine, video: Video) -> None:
    camera = machine.blocking().genetlink("camera")
    video.start()
    with fails(errno.EBUSY):
        camera.do("stream-on")
    video.off()
    camera.do("stream-on")
    with fails(errno.EBUSY):
        video.on()
    camera.do("stream-off")
    video.queue(0)
    video.on()
    assert video.dequeue().sequence == 0


def test_events_come_over_netlink_while_pixels_are_mapped(machine: Machine, video: Video) -> None:
    camera = machine.blocking().genetlink("camera")
    camera.join("frames")
    maps = video.start()
    events = camera.events()
    for _ in range(3):
        event = next(events)
        buffer = video.dequeue()
        assert event.name == "frame-ready"
        assert event["sequence"] == buffer.sequence
        assert event["bytes"] == buffer.bytesused
        stored = maps[buffer.index][buffer.bytesused - 4 : buffer.bytesused]
        assert event["checksum"] == int.from_bytes(stored, "little")
        video.queue(buffer.index)
    assert camera.do("get-device")["streaming"]
    with fails(errno.ENOENT):
        camera.dump("read-frame")
    video.off()
    ended = next(event for event in events if event.name == "stream-ended")
    assert ended["reason"] == "stopped"
    counters = camera.do("get-statistics")
    check_frames(counters)
    assert counters["frames-delivered"] == 3
    assert counters["bytes-delivered"] == 3 * 160 * 120


# -- memory -----------------------------------------------------------------------------------


def test_where_and_how_a_buffer_can_be_mapped(video: Video) -> None:
    video.request(2)
    length, offset = video.query(1).length, video.query(1).m
    process = video.process
    for flags, prot, size, where in (
        (MAP_PRIVATE, PROT_READ, length, offset),
        (MAP_SHARED, PROT_WRITE, length, offset),
        (MAP_SHARED, PROT_READ, length + 4096 * 8, offset),
        (MAP_SHARED, PROT_READ, length, offset + 4096),
        (MAP_SHARED, PROT_READ, length, 2 * offset),
    ):
        with fails(errno.EINVAL):
            process.mmap(video.fd, size, flags, prot, offset=where)
    assert not video.query(1).flags & v4l2.V4L2_BUF_FLAG_MAPPED
    part = process.mmap(video.fd, 4096, MAP_SHARED, PROT_READ, offset=offset)
    assert video.query(1).flags & v4l2.V4L2_BUF_FLAG_MAPPED
    part.close()
    assert not video.query(1).flags & v4l2.V4L2_BUF_FLAG_MAPPED


def test_buffers_may_be_freed_while_they_are_mapped(machine: Machine, video: Video) -> None:
    """If VIDIOC_REQBUFS frees a mapped buffer, its memory stays until the program unmaps it
    (V4L2_BUF_CAP_SUPPORTS_ORPHANED_BUFS).
    """
    (frames,) = video.start(1)
    frame = frames[: video.dequeue().bytesused]
    video.off()
    held = machine.statistics["dma"]["allotted"]
    video.request(0)
    assert machine.statistics["dma"]["allotted"] == held
    assert frames[: len(frame)] == frame
    frames.close()
    assert machine.statistics["dma"]["allotted"] == 0


def test_a_file_that_is_closed_takes_its_buffers_along(machine: Machine, video: Video) -> None:
    for each in video.start():
        each.close()
    video.close()
    settle(machine)
    assert machine.statistics["dma"]["allotted"] == 0
    other = Video.open(machine)
    other.start()
    assert other.dequeue().sequence == 0


# -- waiting -----------------------------------------------------------------------------------


def test_poll_while_frames_come(machine: Machine) -> None:
    video = Video.nonblocking(machine)
    assert video.poll(POLLIN) == POLLERR  # no stream is on
    video.request(2)
    video.on()
    assert video.poll(POLLIN) == POLLERR  # no buffer is queued yet
    with fails(errno.EAGAIN):
        video.dequeue()
    video.queue(0)
    assert video.poll(POLLIN) == 0
    assert video.poll(POLLIN | POLLRDNORM, 1000) == POLLIN | POLLRDNORM
    video.dequeue()
    assert video.poll(POLLIN) == 0
    assert video.poll(POLLPRI) == 0
    video.off()
    assert video.poll(POLLIN) == POLLERR


def test_a_poller_for_events_is_not_woken_by_frames(machine: Machine) -> None:
    video = Video.nonblocking(machine)
    assert video.poll(POLLPRI, 20) == 0


def test_a_second_descriptor_cannot_wait_too(machine: Machine) -> None:
    """While one process waits in VIDIOC_DQBUF, `vb2` refuses VIDIOC_DQBUF and VIDIOC_REQBUFS of another
    process with EBUSY.
    """

    async def waits(app: Any, fd: int) -> None:
        await app.ioctl(fd, io.VIDIOC_DQBUF, bytearray(s.V4l2Buffer(0, CAPTURE).pack()))

    async def program(app: Any, seen: list[int]) -> None:
        fd = await app.open(NODE, O_RDWR)
        request = bytearray(s.V4l2Requestbuffers(1, CAPTURE).pack())
        await app.ioctl(fd, io.VIDIOC_REQBUFS, request)
        await app.ioctl(fd, io.VIDIOC_STREAMON, bytearray(CAPTURE.to_bytes(4, "little")))
        await app.spawn(waits, fd)
        await app.sleep(0.01)
        for number, argument in (
            (io.VIDIOC_DQBUF, s.V4l2Buffer(0, CAPTURE)),
            (io.VIDIOC_REQBUFS, s.V4l2Requestbuffers(2, CAPTURE)),
        ):
            try:
                await app.ioctl(fd, number, bytearray(argument.pack()))
            except OSError as error:
                seen.append(error.errno or 0)
        await app.ioctl(fd, io.VIDIOC_QBUF, bytearray(s.V4l2Buffer(0, CAPTURE).pack()))

    seen: list[int] = []
    machine.spawn(program, seen)
    machine.run(until=machine.now + millis(300))
    assert seen == [errno.EBUSY, errno.EBUSY]
