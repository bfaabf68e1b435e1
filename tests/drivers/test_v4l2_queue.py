"""Two programs make random buffer requests. The results equal those of a model of vb2's rules.

The rules of videobuf2-core.c and videobuf2-v4l2.c are a small model: the owner of each buffer, the owner
of the queue, and the state of the stream.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
from hypothesis import given, settings
from hypothesis import strategies as st

from simkernel import Machine, millis
from simkernel.blocking.process import BlockingClient
from simkernel.hardware import Camera
from simkernel.uapi import errno
from simkernel.uapi.poll import POLLERR, POLLIN, POLLRDNORM
from simkernel.uapi.video import ioctls as io
from simkernel.uapi.video import structures as s
from simkernel.uapi.video import videodev2 as v4l2
from tests.drivers.bench import bench, check_frames, check_nothing_left
from tests.drivers.v4l2 import CAPTURE, Video, is_whole
from tests.examples import examples

SIZE = 160 * 120
MAXIMUM = v4l2.VIDEO_MAX_FRAME
FRAME_TIME = 60
"""Milliseconds after which a frame has arrived: the camera starts in 6 ms and makes a frame every 33 ms."""

EITHER = (0, errno.EAGAIN)
"""An outcome that means: a frame may or may not have arrived. The model cannot know this."""


@attrs.define
class Model:
    """A model of a camera's buffer queue. `buffers` maps the index of a buffer to True if it is prepared."""

    owner: int | None = None
    buffers: dict[int, bool] = attrs.field(factory=dict)
    queued: list[int] = attrs.field(factory=list)
    streaming: bool = False
    fresh: bool = False
    """True if no buffer was queued since the buffers were allocated or the stream ended."""
    netlink: bool = False

    def not_his(self, who: int) -> bool:
        return self.owner not in (None, who)

    def cancel(self) -> None:
        self.queued.clear()
        self.streaming = False
        self.buffers = dict.fromkeys(self.buffers, False)

    # Each method returns the expected errno, and updates the model.

    def request(self, who: int, count: int, _: int) -> int:
        if self.not_his(who) or self.streaming:
            return errno.EBUSY
        self.cancel()
        self.buffers = dict.fromkeys(range(min(count, MAXIMUM)), False)
        self.owner = who if count else None
        self.fresh = self.fresh or bool(count)
        return 0

    def create(self, who: int, count: int, _: int) -> int:
        if count == 0:
            return 0
        if self.not_his(who):
            return errno.EBUSY
        if len(self.buffers) == MAXIMUM:
            return errno.ENOBUFS
        self.fresh = self.fresh or not self.buffers
        wanted = min(count, MAXIMUM - len(self.buffers))
        start, wanted = self.gap(wanted)
        self.buffers |= dict.fromkeys(range(start, start + wanted), False)
        self.owner = who
        return 0

    def gap(self, wanted: int) -> tuple[int, int]:
        while True:
            for start in range(MAXIMUM - wanted + 1):
                if not any(index in self.buffers for index in range(start, start + wanted)):
                    return start, wanted
            wanted -= 1

    def remove(self, who: int, start: int, count: int) -> int:
        if count == 0:
            return 0
        if self.not_his(who):
            return errno.EBUSY
        wanted = range(start, start + count)
        if count > len(self.buffers) or start > MAXIMUM - count:
            return errno.EINVAL
        for index in wanted:
            if index not in self.buffers:
                return errno.EINVAL
            if index in self.queued:
                return errno.EBUSY
        for index in wanted:
            del self.buffers[index]
        return 0

    def query(self, who: int, index: int, _: int) -> int:
        return 0 if index in self.buffers else errno.EINVAL

    def prepare(self, who: int, index: int, _: int) -> int:
        if self.not_his(who):
            return errno.EBUSY
        if self.buffers.get(index, True):
            return errno.EINVAL
        self.buffers[index] = True
        return 0

    def queue(self, who: int, index: int, _: int) -> int:
        if self.not_his(who):
            return errno.EBUSY
        if index not in self.buffers or index in self.queued:
            return errno.EINVAL
        self.buffers[index] = True
        self.queued.append(index)
        self.fresh = False
        return 0

    def dequeue(self, who: int, *_: int) -> int | tuple[int, ...]:
        if self.not_his(who):
            return errno.EBUSY
        if not self.streaming:
            return errno.EINVAL
        return EITHER if self.queued else errno.EAGAIN

    def on(self, who: int, *_: int) -> int:
        if self.not_his(who):
            return errno.EBUSY
        if self.streaming:
            return 0
        if not self.buffers:
            return errno.EINVAL
        if self.netlink:
            return errno.EBUSY
        self.streaming = True
        return 0

    def off(self, who: int, *_: int) -> int:
        if self.not_his(who):
            return errno.EBUSY
        self.cancel()
        self.fresh = True
        return 0

    def set_format(self, who: int, *_: int) -> int:
        return errno.EBUSY if self.buffers or self.netlink else 0

    def netlink_on(self, *_: int) -> int:
        if self.streaming:
            return errno.EBUSY
        self.netlink = True
        return 0

    def netlink_off(self, *_: int) -> int:
        self.netlink = False
        return 0


class World:
    """Two programs with the device open, and one that uses netlink."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.videos = [Video.nonblocking(machine) for _ in range(2)]
        self.camera: BlockingClient = machine.blocking().genetlink("camera")
        self.model = Model()
        self.videos[0].set_format(160, 120)

    def ask(self, name: str, who: int, first: int, second: int) -> Any:
        video, buffer = self.videos[who], s.V4l2Buffer(first, CAPTURE)
        requests: dict[str, Callable[[], Any]] = {
            "request": lambda: video.request(first),
            "create": lambda: video.ask(
                io.VIDIOC_CREATE_BUFS,
                s.V4l2CreateBuffers(count=first, type=CAPTURE, fmt=s.V4l2PixFormat(sizeimage=SIZE).pack()),
            ),
            "remove": lambda: video.ask(io.VIDIOC_REMOVE_BUFS, s.V4l2RemoveBuffers(first, second, CAPTURE)),
            "query": lambda: video.ask(io.VIDIOC_QUERYBUF, buffer),
            "prepare": lambda: video.ask(io.VIDIOC_PREPARE_BUF, buffer),
            "queue": lambda: video.ask(io.VIDIOC_QBUF, buffer),
            "dequeue": video.dequeue,
            "on": video.on,
            "off": video.off,
            "set_format": lambda: video.set_format(160, 120),
            "netlink_on": lambda: self.camera.do("stream-on"),
            "netlink_off": lambda: self.camera.do("stream-off"),
        }
        return requests[name]()

    def step(self, name: str, who: int, first: int, second: int) -> None:
        if name == "wait":
            self.machine.run(until=self.machine.now + millis(first))
            return
        if name == "begin":  # the calls with which a program begins a capture
            for each in (("off", 0), ("request", 3), ("queue", 0), ("queue", 1), ("queue", 2), ("on", 0)):
                self.step(each[0], who, each[1], 0)
            return
        right = getattr(self.model, name)(who, first, second)
        try:
            result, number = self.ask(name, who, first, second), 0
        except OSError as error:
            result, number = None, error.errno or 0
        assert number in (right if isinstance(right, tuple) else (right,)), (name, who, first, second)
        if name == "dequeue" and number == 0:
            self.took(who, result)
        self.check()

    def took(self, who: int, buffer: s.V4l2Buffer) -> None:
        assert buffer.index == self.model.queued.pop(0)
        self.model.buffers[buffer.index] = False
        frame = self.videos[who].map(buffer.index)
        assert is_whole(frame[: buffer.bytesused])
        frame.close()

    def check(self) -> None:
        """Check that the state that programs can see equals the state of the model."""
        model, anybody = self.model, self.videos[0]
        for index, prepared in model.buffers.items():
            flags = anybody.query(index).flags
            if index in model.queued:
                assert flags & (v4l2.V4L2_BUF_FLAG_QUEUED | v4l2.V4L2_BUF_FLAG_DONE)
            else:
                assert bool(flags & v4l2.V4L2_BUF_FLAG_PREPARED) == prepared
        ready = anybody.poll(POLLIN | POLLRDNORM)
        if not model.streaming or model.fresh:
            assert ready == POLLERR
        else:
            assert ready == 0 or (ready == POLLIN | POLLRDNORM and model.queued)
        check_frames(self.camera.do("get-statistics"))


waits = st.tuples(st.just("wait"), st.just(0), st.integers(0, 80), st.just(0))
frames = st.tuples(st.sampled_from(["queue", "dequeue"]), st.just(0), st.integers(0, 2), st.just(0))
counts = st.sampled_from([0, 1, 2, 3, 5, 40])
indexes = st.integers(0, 6)
names = st.sampled_from(["on", "off", "dequeue", "dequeue", "netlink_on", "netlink_off", "set_format"])
owners = st.sampled_from([0, 0, 0, 1])
steps = st.one_of(
    st.tuples(st.sampled_from(["request", "create"]), owners, counts, st.just(0)),
    st.tuples(st.just("remove"), owners, indexes, st.integers(0, 3)),
    st.tuples(st.sampled_from(["query", "prepare", "queue", "queue"]), owners, indexes, st.just(0)),
    st.tuples(names, owners, st.just(0), st.just(0)),
    st.tuples(st.just("begin"), owners, st.just(0), st.just(0)),
    *[frames] * 3,
    *[waits] * 2,
)


@settings(max_examples=examples(120))
@given(st.lists(steps, min_size=5, max_size=40))
def test_each_request_has_the_answer_that_the_rules_give(
    actions: list[tuple[str, int, int, int]],
) -> None:
    device = Camera()
    with bench(device) as machine:
        world = World(machine)
        for action in actions:
            world.step(*action)
        if world.model.streaming and world.model.queued and world.model.owner is not None:
            machine.run(until=machine.now + millis(FRAME_TIME))
            world.took(world.model.owner, world.videos[world.model.owner].dequeue())
        for video in world.videos:
            video.close()
        if world.model.netlink:
            world.camera.do("stream-off")
        machine.run(until=machine.now + millis(50))
        check_frames(world.camera.do("get-statistics"))
        world.camera.close()
        machine.unplug(device)
        machine.run(until=machine.now + millis(10))
        check_nothing_left(machine, machine.blocking())
