"""Causes of a failing call, and the first difference of two runs."""

from __future__ import annotations

from typing import Any

from simkernel.engine import Record
from simkernel.explore.causes import causes, first_difference
from simkernel.explore.plan import Plan
from simkernel.explore.run import run
from simkernel.testing.evidence import Observed
from simkernel.testing.sim import Body


async def watch(app: Any) -> None:
    """Fail at the first uevent."""
    monitor = await app.uevents()
    raise ValueError(await anext(monitor))


async def unplugged(app: Any, sim: Any) -> None:
    """Unplug the mouse while a program waits for uevents."""
    await app.spawn(watch)
    await app.sleep(0.01)
    sim.unplug("mouse0")
    await sim.quiet()


async def write(app: Any, fd: int) -> None:
    """Write a byte to `fd` after 10 ms."""
    await app.sleep(0.01)
    await app.write(fd, b"x")


async def piped(app: Any) -> None:
    """Fail after reading a byte that another task has written."""
    reading, writing = await app.pipe()
    await app.thread(write, writing)
    await app.read(reading, 1)
    raise ValueError


async def asleep(app: Any) -> None:
    """Fail after a sleep that only a timer ends."""
    await app.sleep(1)
    await app.open("/nowhere", 0)


def recorded(body: Body, plan: str = "0") -> list[Record]:
    """Return the records of a run up to its failure."""
    observed = Observed(body, last=None)
    assert run(observed, Plan.parse(plan)).failure is not None
    return list(observed.records)


def names(records: list[Record]) -> list[str]:
    """Return the name of each record."""
    return [each.name for each in records]


def test_a_message_leads_to_the_interrupt_and_the_device() -> None:
    chain = causes(recorded(Body(unplugged, devices=("mouse",))))
    assert names(chain) == [
        "unplug", "irq_raise", "irq_handler_entry", "sched_wakeup", "remove", "kobject_uevent",
        "netlink_broadcast", "sched_wakeup", "sys_exit", "sched_process_exit",
    ]  # fmt: skip
    assert len({each.flow for each in chain[:-1]}) == 1
    assert [each.fields["comm"] for each in chain if each.name == "sched_wakeup"] == [
        "irq/0-hotplug",
        "watch",
    ]


def test_a_wakeup_leads_to_the_call_of_the_other_task() -> None:
    chain = causes(recorded(Body(piped, {"app": None})))
    assert names(chain) == [
        "sched_process_fork", "sys_enter", "sched_wakeup", "sys_exit", "sched_process_exit"
    ]  # fmt: skip
    assert chain[1].fields["call"] == "write"
    assert chain[1].track.startswith("write/")


def test_a_timer_continues_the_flow_that_armed_it() -> None:
    chain = causes(recorded(Body(asleep, {"app": None}, options={"udev": False})))
    assert names(chain) == ["sched_process_fork", "sys_exit", "sched_process_exit"]
    assert chain[1].fields["call"] == "openat"


async def quiet(app: Any, sim: Any) -> None:
    """Fail as soon as the other program has ended."""
    _, writing = await app.pipe()
    await app.spawn(write, writing)
    await sim.quiet()
    raise ValueError


def test_quiescence_leads_to_the_task_that_acted_last() -> None:
    chain = causes(recorded(Body(quiet, options={"udev": False})))
    assert names(chain) == [
        "sched_process_fork",
        "sched_process_fork",
        "sched_process_exit",
        "sched_wakeup",
        "sys_exit",
        "sys_exit",
        "sched_process_exit",
    ]
    assert [each.fields["comm"] for each in chain[1:3]] == ["write", "write"]


def test_no_record_has_no_cause() -> None:
    assert causes([]) == []


def test_the_first_difference_is_no_matter_of_time() -> None:
    body = Body(piped, {"app": None})
    default = recorded(body)
    assert first_difference(default, recorded(body)) is None
    later = recorded(body, "0,8+1000")
    assert [each.time for each in later] != [each.time for each in default]
    assert first_difference(default, later) is None
    assert first_difference(default, default[:-2]) == len(default) - 2


def test_another_order_is_a_difference() -> None:
    body = Body(unplugged, devices=("mouse",))
    default = recorded(body)
    places = run(body, Plan(), record=True).places
    at = places.index("step of watch") + 1
    observed = Observed(body, last=None)
    run(observed, Plan(points={at: 20_000_000}))
    index = first_difference(default, observed.records)
    assert index is not None
    assert default[index].track != observed.records[index].track
