"""A viewer reads a frame part by part while the camera overwrites it."""

from __future__ import annotations

from typing import Any

import pytest

from simkernel.testing.situations import dump_interrupted
from tests.testing.situations.conftest import Equipped


def viewer(app: Any, frames: list[int], *, attempts: int) -> None:
    camera = app.genetlink("camera")
    camera.join("frames")
    camera.do("stream-on")
    for _ in range(attempts):
        frame = next(camera.events("frame-ready"))
        try:
            parts = camera.dump("read-frame", sequence=frame["sequence"])
        except InterruptedError:
            continue
        frames.append(sum(len(part["data"]) for part in parts))
        break
    camera.do("stream-off")


def test_a_viewer_that_asks_again_gets_a_whole_frame(equipped: Equipped) -> None:
    frames: list[int] = []
    with dump_interrupted(equipped.machine, "viewer", times=3):
        equipped.machine.spawn(viewer, frames, attempts=4)
        equipped.machine.run()
    assert frames == [614_400]


def test_each_dump_is_interrupted_once(equipped: Equipped) -> None:
    frames: list[int] = []
    with dump_interrupted(equipped.machine, "viewer", times=3) as occurrence:
        equipped.machine.spawn(viewer, frames, attempts=3)
        equipped.machine.run()
    assert (frames, occurrence.happened) == ([], 3)


def test_a_dump_of_one_datagram_cannot_be_interrupted(equipped: Equipped) -> None:
    mouse = equipped.machine.blocking().genetlink("mouse")
    with (
        pytest.raises(AssertionError, match="dump-interrupted has not happened: it needs a dump of two"),
        dump_interrupted(equipped.machine),
    ):
        mouse.dump("get-device")


def test_a_change_of_ones_own_is_made_between_two_datagrams(equipped: Equipped) -> None:
    camera = equipped.machine.blocking().genetlink("camera")
    camera.join("frames")
    camera.do("stream-on")
    frame = next(camera.events("frame-ready"))
    changes: list[int] = []
    with dump_interrupted(equipped.machine, change=lambda: changes.append(equipped.machine.now)):
        before = equipped.machine.now
        camera.dump("read-frame", sequence=frame["sequence"])
    assert len(changes) == 1
    assert before <= changes[0] < equipped.machine.now
