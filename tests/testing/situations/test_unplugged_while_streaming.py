"""The camera is unplugged while it streams."""

from __future__ import annotations

from typing import Any

import pytest

from simkernel import millis
from simkernel.testing.situations import unplugged_while_streaming
from tests.testing.situations.conftest import Equipped


def viewer(app: Any, log: list[str]) -> None:
    camera = app.genetlink("camera")
    camera.join("frames")
    camera.do("stream-on")
    for event in camera.events():
        log.append(event.name)
        if event.name == "stream-ended":
            break
    try:
        camera.do("stream-off")
    except OSError as error:
        log.append(error.strerror or "")


@pytest.mark.parametrize("frames", [1, 4])
def test_a_stream_ends_with_an_event(equipped: Equipped, frames: int) -> None:
    log: list[str] = []
    after = 2 * frames  # each frame needs two writes: the frame and its descriptor
    with unplugged_while_streaming(equipped.machine, equipped.camera, after=after):
        equipped.machine.spawn(viewer, log)
        equipped.machine.run(on_idle="raise")
    assert log.count("frame-ready") == frames
    assert log[-2] == "stream-ended"
    assert "no camera" in log[-1]
    assert equipped.machine.statistics["dma"]["allotted"] == 0


def test_a_device_that_does_not_write_is_not_unplugged(equipped: Equipped) -> None:
    with (
        pytest.raises(AssertionError, match="it needs DMA writes"),
        unplugged_while_streaming(equipped.machine, equipped.camera),
    ):
        equipped.machine.run(until=millis(500))
