"""A machine whose fault points never fail behaves like a machine without fault points."""

from __future__ import annotations

from collections import Counter

import pytest

from simkernel.engine import Record
from simkernel.kernel.lib.fault import POINTS
from tests.machine.lives import LIVES, Told
from tests.machine.points import Points


@pytest.mark.parametrize("cpus", [None, 2])
@pytest.mark.parametrize("traced", [True, False])
@pytest.mark.parametrize("life", LIVES)
def test_points_that_never_fire_change_nothing(life: str, traced: bool, cpus: int | None) -> None:
    unarmed = Told(life, 3, cpus, traced=traced).finish()
    armed = Told(life, 3, cpus, traced=traced, faults=Points()).finish()
    assert armed == unarmed


@pytest.mark.parametrize("life", LIVES)
def test_fast_paths_reach_the_points_that_slow_paths_reach(life: str) -> None:
    """The slow paths of netlink hit the same fault points as the fast paths. An attached tracer turns off the
    fast paths.
    """
    fast, slow = Points(), Points()
    Told(life, 3, traced=False, faults=fast).finish()
    Told(life, 3, traced=True, faults=slow).finish()
    assert fast.about == slow.about


def test_every_point_is_reached() -> None:
    reached: Counter[str] = Counter()
    for life in LIVES:
        points = Points()
        Told(life, 3, traced=False, faults=points).finish()
        reached += points.hits
    assert reached.keys() == POINTS.keys()


@pytest.mark.parametrize("life", ["watching", "moving", "loading"])
def test_hits_are_as_many_as_the_operations(life: str) -> None:
    """Each register access, DMA write, uevent and interrupt hits its fault point exactly once. Accesses to
    the hot-plug controller hit none.
    """
    points, records = Points(), Counter[str]()
    told = Told(life, 3, faults=points)
    bus = told.machine.bus
    controller = bus.slots[0].device

    def count(record: Record) -> None:
        if controller is not None and record.fields.get("device") != controller.name:
            records[record.name] += 1

    told.machine.trace.subscribe(count)
    booted = sum(line.delivered for line in bus.interrupts.lines)
    told.finish()
    hits = points.hits
    assert hits["bus.access"] == records["rwmmio_read"] + records["rwmmio_write"]
    assert hits["dma.write"] == records["dma_write"]
    assert hits["uevent.drop"] == records["kobject_uevent"]
    assert (
        hits["irq.lost"] == hits["irq.storm"] == sum(line.delivered for line in bus.interrupts.lines) - booted
    )
