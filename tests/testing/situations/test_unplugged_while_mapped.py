"""A viewer has a buffer of the camera mapped when the camera is unplugged."""

from __future__ import annotations

import pytest

from simkernel import millis
from simkernel.testing.situations import replugged, unplugged_while_mapped
from simkernel.uapi.video import ioctls as io
from simkernel.uapi.video import structures as s
from tests.drivers.v4l2 import Video
from tests.testing.situations.conftest import Equipped


def test_calls_fail_and_the_mapping_stays_readable(equipped: Equipped) -> None:
    machine = equipped.machine
    video = Video.open(machine)
    video.request(1)
    with unplugged_while_mapped(machine, equipped.camera):
        memory = video.map(0)
    machine.run(until=machine.now + millis(50))
    assert len(memory[:]) == 640 * 480 * 2
    with pytest.raises(OSError, match="No such device"):
        video.ask(io.VIDIOC_QUERYCAP, s.V4l2Capability())
    memory.close()
    video.close()


def test_the_camera_that_comes_back_has_other_buffers(equipped: Equipped) -> None:
    machine = equipped.machine
    video = Video.open(machine)
    maps = video.start()
    old = maps[video.dequeue().index]
    frame = old[:]
    with replugged(machine, equipped.camera):
        machine.run(until=machine.now + millis(300))
    again = Video.open(machine, path="/dev/video1")
    again.start()
    again.dequeue()
    assert old[:] == frame
