"""A machine with an empty plan of delays and pauses does exactly what a machine without a plan does."""

from __future__ import annotations

from typing import Any

import pytest

from simkernel import Machine, millis
from simkernel.explore.plan import Plan
from simkernel.explore.schedule import Schedule
from simkernel.hardware import Camera, Mouse, Walk
from simkernel.trace.digest import Digest


async def view(app: Any) -> None:
    """Stream a few frames while another program reads the mouse."""
    await app.spawn(read)
    camera = await app.genetlink("camera")
    await camera.do("stream-on")
    await app.sleep(0.1)
    await camera.do("stream-off")


def read(app: Any) -> None:
    """Read one input event. This program is a plain function, not a coroutine function."""
    fd = app.open("/dev/input/event0", 0)
    app.read(fd, 24)
    app.close(fd)


def digest(cpus: int | None, schedule: Schedule | None) -> str:
    records = Digest()
    with Machine(3, cpus=cpus, perturbation=schedule) as machine:
        machine.trace.subscribe(records)
        machine.plug(Camera())
        machine.plug(Mouse(Walk()))
        machine.run(until=millis(20))
        machine.spawn(view)
        facade = machine.blocking()
        facade.genetlink("camera").do("get-device")
        machine.run(until=millis(300))
    return records.hexdigest()


@pytest.mark.parametrize("cpus", [None, 1, 2])
def test_an_empty_plan_changes_nothing(cpus: int | None) -> None:
    schedule = Schedule(Plan(3))
    assert digest(cpus, schedule) == digest(cpus, None)
    assert schedule.count > 500


@pytest.mark.parametrize("cpus", [None, 1, 2])
def test_a_plan_changes_a_run_in_one_way(cpus: int | None) -> None:
    plan = Plan.parse("3,400+1000000,500+30000,650!")
    runs = {digest(cpus, Schedule(plan)) for _ in range(2)}
    assert len(runs) == 1
    assert runs != {digest(cpus, None)}


def test_a_machine_can_be_closed_while_a_section_pauses() -> None:
    schedule = Schedule(Plan(points={at: millis(500) for at in range(60, 500)}))
    with Machine(3, perturbation=schedule) as machine:
        machine.plug(Camera())
        machine.run(until=millis(50))
        assert schedule.done
    assert not [task for task in machine.kernel.processes if task.alive and task.pid > 2]
