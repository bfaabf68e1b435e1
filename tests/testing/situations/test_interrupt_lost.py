"""The interrupt of a frame is lost."""

from __future__ import annotations

from typing import Any

import pytest

from simkernel import Machine, millis
from simkernel.explore.faults import Injector
from simkernel.hardware import Camera
from simkernel.testing.situations import interrupt_lost


async def viewer(app: Any, log: list[object]) -> None:
    """Restart the stream when no frame comes for a second."""
    camera = await app.genetlink("camera")
    await camera.join("frames")
    await camera.do("stream-on")
    await camera.event_socket.settimeout(1)
    while len(log) < 6:
        try:
            log.append((await anext(camera.events("frame-ready")))["sequence"])
        except TimeoutError:
            log.append("restart")
            await camera.do("stream-off")
            await camera.do("stream-on")
    await camera.do("stream-off")


@pytest.mark.parametrize("nth", [1, 2, 3])
def test_only_a_program_with_a_timeout_gets_on(nth: int) -> None:
    log: list[object] = []
    with Machine(faults=Injector(), check_leaks=True) as machine:
        machine.plug(device := Camera())
        machine.run(until=millis(100))
        with interrupt_lost(machine, device, nth=nth):
            machine.spawn(viewer, log)
            machine.run(until=millis(3000))
    assert log.index("restart") == nth - 1
    assert len(log) == 6
