"""Two devices share an interrupt line."""

from __future__ import annotations

import pytest

from simkernel import Machine, SimulationError, millis
from simkernel.hardware import Camera
from simkernel.testing.situations import interrupt_shared
from tests.testing.situations.conftest import Equipped


def test_handlers_of_both_drivers_run_and_both_devices_work(equipped: Equipped) -> None:
    machine, handlers = equipped.machine, []
    machine.trace.subscribe(
        lambda record: (
            handlers.append((record.fields["name"], record.fields["result"]))
            if record.name == "irq_handler_exit"
            else None
        )
    )
    camera = machine.blocking().genetlink("camera")
    camera.join("frames")
    camera.do("stream-on")
    with interrupt_shared(machine, equipped.camera):
        for _ in range(30):
            next(camera.events("frame-ready"))
    results = {(name, int(result) > 0) for name, result in handlers}
    assert {("camera", True), ("camera", False), ("mouse", True), ("mouse", False)} <= results
    assert not any("nobody cared" in line for line in machine.log.lines())


def test_a_device_without_a_line_is_refused() -> None:
    with Machine(udev=False) as machine, pytest.raises(SimulationError, match="not plugged in"):
        interrupt_shared(machine, Camera())


def test_two_devices_without_drivers_share_no_interrupt() -> None:
    with Machine(udev=False) as machine:
        machine.plug(camera := Camera())
        with (
            pytest.raises(AssertionError, match="interrupt-shared has not happened"),
            interrupt_shared(machine, camera),
        ):
            machine.run(until=millis(100))
