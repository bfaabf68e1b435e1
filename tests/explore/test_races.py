"""A search that pauses tasks at the source lines where the race detector has reported a data race."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent
from typing import Any

import attrs
import pytest

from simkernel import Machine, millis
from simkernel.explore.explorer import Explorer, Found
from simkernel.explore.plan import Plan
from simkernel.explore.races import find_races, places
from simkernel.explore.run import Trial
from simkernel.explore.schedule import Schedule
from simkernel.uapi.fcntl import O_WRONLY

DRIVER = """
from simkernel.driverapi.device import class_register, class_unregister, device_create
from simkernel.driverapi.fs import *
from simkernel.driverapi.module import Module
from simkernel.driverapi.spinlock import spin_lock_init

MODULE = Module(license="GPL")

class Tally:
    def __init__(self, this):
        self.lock = spin_lock_init(this, "tally")
        self.total = 0

def weigh(data):
    weight = 0
    for byte in data:
        weight += byte
        weight %= 251
    return weight

def write(file, data, position):
    tally = file.cdev.data
    weigh(data)
    {0}:
        total = tally.total
        total += 1
        tally.total = total
    weigh(data)
    return len(data)

def init(this):
    tally = Tally(this)
    number = alloc_chrdev_region(this, 0, 1, "tally")
    tally.cdev = cdev_init(this, FileOperations(write=write), data=tally)
    cdev_add(tally.cdev, number)
    tally.kind = class_register(this, "tally")
    device_create(this, tally.kind, None, "tally", node="tally", number=number)
    return tally
"""


@attrs.frozen
class Story:
    """A search target: two programs write to a device at the same time. The target fails unless the driver
    counts both writes. `folder` contains the driver's module.
    """

    folder: Path

    def run(self, trial: Trial) -> None:
        """Run two programs that each write once. Check that the driver has counted two writes."""

        async def program(app: Any) -> None:
            fd = await app.open("/dev/tally", O_WRONLY)
            await app.sleep(0.001)
            await app.write(fd, bytes(range(40)))

        with trial.machine(udev=False, module_path=[self.folder]) as machine:
            machine.blocking().insmod("tally")
            trial.began()
            for _ in range(2):
                machine.spawn(program)
            machine.run()
            module = machine.kernel.modules.find("tally")
            assert module is not None
            assert module.data.total == 2


@pytest.fixture
def folder(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    (tmp_path / "tally.py").write_text(dedent(DRIVER.replace("{0}", request.param)))
    return tmp_path


@pytest.mark.parametrize("folder", ["if True"], indirect=True)
def test_a_search_directed_by_races_finds_the_failure_at_once(folder: Path) -> None:
    story = Story(folder)
    races = find_races(story)
    assert {len(race.places) for race in races} == {2}
    assert "data-race in write" in races[0].text
    found = Explorer(story).seeds(range(20), "pauses", directed=places(races))
    assert isinstance(found, Found)
    assert found.number <= 5
    assert any(done.place in places(races) for done in found.outcome.done)


@pytest.mark.parametrize("folder", ["with tally.lock"], indirect=True)
def test_a_sound_driver_has_no_races(folder: Path) -> None:
    assert find_races(Story(folder)) == ()


SLEEPS = DRIVER.replace("def write", "async def write").replace(
    "    weigh(data)\n    {0}:", "    await msleep(tally.this, 1)\n    weigh(data)\n    with tally.lock:"
)
SLEEPS = SLEEPS.replace("self.lock =", "self.this = this\n        self.lock =").replace(
    "from simkernel.driverapi.module",
    "from simkernel.driverapi.delay import msleep\nfrom simkernel.driverapi.module",
)
"""A driver whose `write` sleeps, and has statements at which a plan can pause after the wake-up."""


def ends(folder: Path, cpus: int | None, point: int, checks: tuple[str, ...]) -> list[int]:
    """Run a program that writes twice, with a pause at one point. Return the end times of the writes."""
    seen: list[int] = []

    async def program(app: Any) -> None:
        fd = await app.open("/dev/tally", O_WRONLY)
        for _ in range(2):
            await app.write(fd, b"abc")
            seen.append(app.monotonic_ns())

    plan = Schedule(Plan(points={point: millis(3)}))
    with Machine(udev=False, cpus=cpus, module_path=[folder], perturbation=plan, checks=checks) as machine:
        machine.blocking().insmod("tally")
        machine.spawn(program)
        machine.run()
    return seen


@pytest.mark.parametrize("cpus", [None, 1, 2])
def test_a_race_detector_leaves_the_pauses_of_a_plan_unchanged(tmp_path: Path, cpus: int | None) -> None:
    (tmp_path / "tally.py").write_text(dedent(SLEEPS))
    runs = [[ends(tmp_path, cpus, point, checks) for point in range(1, 60)] for checks in ((), ("races",))]
    assert runs[0] == runs[1]
    assert len(set(map(tuple, runs[0]))) >= 3, "pauses change the end of the first write, the second, or none"
