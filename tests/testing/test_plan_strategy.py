"""Hypothesis draws plans, which fix the order of events in a run, and shrinks them."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import Phase, find, given, settings

from simkernel import Machine, millis
from simkernel.explore.plan import IRQ, Plan
from simkernel.explore.schedule import Schedule
from simkernel.hardware import Mouse
from simkernel.testing.strategies import plans
from tests.examples import examples

DRAW = settings(max_examples=2000, phases=[Phase.generate], database=None)


DEVICES = "/sys/bus/simbus/devices"


async def lists_then_subscribes(app: Any, table: set[str]) -> None:
    """List the devices, then subscribe to uevents. This is a common bug: a device that is plugged in between
    these two steps is missed.
    """
    table.update(await app.listdir(DEVICES))
    await follow(await app.uevents(), table)


async def subscribes_then_lists(app: Any, table: set[str]) -> None:
    """Subscribe to uevents, then list the devices, so that no device is missed."""
    monitor = await app.uevents()
    table.update(await app.listdir(DEVICES))
    await follow(monitor, table)


async def follow(monitor: Any, table: set[str]) -> None:
    """For each "add" uevent of a simbus device, add the device's name to the table."""
    async for event in monitor:
        if event.action == "add" and event.variables["SUBSYSTEM"] == "simbus":
            table.add(event.devpath.rpartition("/")[2])


def check(client: Any, plan: Plan) -> None:
    """Run a client under a plan. The client's table must equal the kernel's list of devices."""
    with Machine(plan.seed, perturbation=Schedule(plan)) as machine:
        table: set[str] = set()
        machine.spawn(client, table, daemon=True)
        machine.at(millis(1), machine.plug, Mouse())
        machine.run()
        assert table == set(machine.blocking().listdir(DEVICES))


@given(plans(faults=["netlink.deliver", "open"], stimuli=["unplug-mouse0"], options={"cpus": "2"}))
def test_a_drawn_plan_can_be_pasted(plan: Plan) -> None:
    assert eval(repr(plan), {"Plan": Plan}) == plan
    assert plan.options == {"cpus": "2"}
    assert list(plan.stimuli) == ["unplug-mouse0"]
    assert len(plan.points) <= 5


@pytest.mark.parametrize(
    "wanted",
    [
        lambda plan: IRQ in plan.points.values(),
        lambda plan: millis(50) in plan.points.values(),
        lambda plan: ("open", 2) in plan.faults,
        lambda plan: len(plan.points) == 5,
    ],
)
def test_each_kind_of_perturbation_is_drawn(wanted: Any) -> None:
    find(plans(faults=["netlink.deliver", "open"]), wanted, settings=DRAW)


def test_the_shortest_plan_is_the_seed() -> None:
    assert (
        repr(find(plans(), lambda plan: True, settings=settings(database=None, max_examples=10)))
        == "Plan.parse('0')"
    )


@pytest.mark.long
def test_a_planted_bug_of_a_client_shrinks_to_one_delay() -> None:
    @settings(max_examples=1000, derandomize=True, database=None, phases=[Phase.generate, Phase.shrink])
    @given(plans(points=60))
    def the_table_is_right(plan: Plan) -> None:
        check(lists_then_subscribes, plan)

    with pytest.raises(AssertionError) as failed:
        the_table_is_right()
    text = "\n".join(failed.value.__notes__)
    found = re.search(r"plan=(Plan\.parse\('0,\d+\+1000000'\)),\n", text)
    assert found is not None, text
    pasted = eval(found[1], {"Plan": Plan})
    with pytest.raises(AssertionError):
        check(lists_then_subscribes, pasted)
    check(lists_then_subscribes, pasted.without_perturbations())


@settings(max_examples=examples(50))
@given(plans(points=60))
def test_a_sound_client_is_right_under_each_plan(plan: Plan) -> None:
    check(subscribes_then_lists, plan)
