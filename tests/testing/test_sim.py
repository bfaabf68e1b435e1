"""The object `sim` of a test: it acts on devices, waits until the machine is quiet, checks conditions, and
returns the kernel's state. The test body uses it, async or plain, and so do the programs that the body
spawns.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from simkernel import Deadlock, SimulationError, seconds
from simkernel.explore.explorer import Explorer, Found
from simkernel.explore.plan import Plan
from simkernel.explore.run import Outcome, run
from simkernel.hardware import Camera
from simkernel.testing.sim import Body


def ran(body: Callable[..., object], plan: str = "0", **options: Any) -> Outcome:
    """Run a test body once under a plan, and return the outcome."""
    return run(Body(body, **options), Plan.parse(plan), record=True)


def passed(body: Callable[..., object], **options: Any) -> None:
    """Run a test body once. If the body fails, raise its exception."""
    if (failure := ran(body, **options).failure) is not None:
        raise failure


# -- quiescence -----------------------------------------------------------------------


def test_quiet_waits_for_the_other_programs_and_moves_the_clock_no_further() -> None:
    async def sleeper(app: Any) -> None:
        await app.sleep(2)

    async def body(app: Any, sim: Any) -> None:
        await app.spawn(sleeper)
        await sim.quiet()
        assert seconds(2) < app.monotonic_ns() < seconds(2.001)

    passed(body)


def test_quiet_blocks_in_a_plain_body() -> None:
    def sleeper(app: Any) -> None:
        app.sleep(2)

    def body(app: Any, sim: Any) -> None:
        app.spawn(sleeper)
        assert sim.quiet() is None
        assert seconds(2) < app.monotonic_ns() < seconds(2.001)

    passed(body)


def test_programs_of_the_body_wait_in_turn() -> None:
    order: list[str] = []

    async def child(app: Any, sim: Any) -> None:
        await sim.quiet()
        order.append("child")
        await app.sleep(1)
        order.append("later")

    def plain_child(app: Any, sim: Any) -> None:
        sim.quiet()
        order.append("plain child")

    async def body(app: Any, sim: Any) -> None:
        await app.spawn(child, sim)
        await app.spawn(plain_child, sim)
        await app.sleep(0.1)
        await sim.quiet()
        order.append("body")
        assert app is sim.app

    passed(body)
    assert order == ["child", "later", "plain child", "body"]


def test_quiet_outside_of_a_program_is_refused() -> None:
    def stimulus(sim: Any) -> None:
        with pytest.raises(SimulationError, match=r"only a program.* can call sim.quiet\(\)"):
            sim.quiet()

    async def body(app: Any, sim: Any) -> None:
        sim.any_step(stimulus, sim)
        await sim.quiet()

    passed(body)


def test_a_body_that_sleeps_for_ever_is_a_deadlock() -> None:
    async def body(app: Any, sim: Any) -> None:
        reading, _ = await app.pipe()
        await app.read(reading, 1)

    failure = ran(body).failure
    assert isinstance(failure, Deadlock)
    assert str(failure).startswith("body sleeps for ever; asleep: ")
    assert "body/6 in read on data in pipe" in str(failure)


# -- stimuli --------------------------------------------------------------------------


def test_a_stimulus_happens_at_once_by_default_and_at_the_step_of_the_plan() -> None:
    times: list[int] = []

    async def body(app: Any, sim: Any) -> None:
        sim.any_step(lambda: times.append(app.monotonic_ns()))
        for _ in range(3):
            await app.sleep(1)

    for step in (0, 2, 1000):
        run(Body(body), Plan(stimuli={"<lambda>": step}))
    assert times[0] < seconds(1) <= times[1] < seconds(3) <= times[2]


def test_devices_are_unplugged_and_plugged_in_by_name() -> None:
    async def body(app: Any, sim: Any) -> None:
        mouse = sim.device("mouse0")
        sim.unplug("mouse0")
        sim.unplug(mouse)
        await sim.quiet()
        assert sim.truth("mouse") == {}
        sim.plug(mouse)
        sim.plug(mouse)
        await sim.quiet()
        assert len(sim.truth("mouse")) == 1
        sim.plug(Camera())
        await sim.quiet()
        assert len(sim.truth("camera")) == 1

    passed(body, devices=("mouse",))


def test_an_unknown_name_gets_a_suggestion() -> None:
    async def body(app: Any, sim: Any) -> None:
        with pytest.raises(LookupError, match=r"unknown device 'mouse1': did you mean mouse0\?"):
            sim.unplug("mouse1")
        with pytest.raises(LookupError, match=r"unknown class, bus or driver 'inptu': did you mean input\?"):
            sim.truth("inptu")
        with pytest.raises(SimulationError, match="pass an ordinary function and its arguments"):
            sim.any_step(app.sleep(1))
        with pytest.raises(SimulationError, match="pass an ordinary function and its arguments"):
            sim.any_step(test_coroutine)
        with pytest.raises(SimulationError, match="'x': True is not a function: pass a lambda"):
            sim.always("x", True)

    async def test_coroutine() -> None:
        """A coroutine function, which `sim.any_step` rejects."""

    with pytest.raises(Exception, match="never awaited"):
        passed(body, devices=("mouse",))


# -- conditions -----------------------------------------------------------------------


def test_always_fails_at_the_step_that_breaks_it() -> None:
    async def body(app: Any, sim: Any) -> None:
        values = [0]
        sim.always("small", lambda: values[0] < 2)
        for value in range(4):
            await app.sleep(1)
            values[0] = value
        raise ValueError("it went on")

    failure = ran(body).failure
    assert isinstance(failure, AssertionError)
    assert str(failure).startswith("sim.always('small') does not hold at 3")


def test_always_holds_at_the_last_step_too() -> None:
    async def body(app: Any, sim: Any) -> None:
        values: list[int] = []
        sim.always("empty", lambda: not values)
        await app.sleep(1)
        values.append(1)

    assert str(ran(body).failure).startswith("sim.always('empty') does not hold at 1")


def test_eventually() -> None:
    def body_of(check: Callable[[], object], within: int | None) -> Callable[..., object]:
        async def body(app: Any, sim: Any) -> None:
            sim.eventually("late", lambda: app.monotonic_ns() > seconds(2) and check(), within=within)
            for _ in range(5):
                await app.sleep(1)

        return body

    assert ran(body_of(lambda: True, None)).failure is None
    assert ran(body_of(lambda: True, seconds(3))).failure is None
    late = ran(body_of(lambda: True, seconds(1))).failure
    assert isinstance(late, AssertionError)
    assert str(late).startswith("sim.eventually('late') does not hold at")
    never = ran(body_of(lambda: False, None)).failure
    assert str(never) == "sim.eventually('late') does not hold at any step"


def test_an_exception_of_a_check_is_the_failure() -> None:
    async def body(app: Any, sim: Any) -> None:
        sim.always("broken", lambda: {}["key"])
        await app.sleep(1)

    assert isinstance(ran(body).failure, KeyError)


# -- searches -------------------------------------------------------------------------


def test_a_stimulus_between_two_calls_is_found() -> None:
    async def body(app: Any, sim: Any) -> None:
        sim.any_step(sim.unplug, "mouse0")
        await app.sleep(0.01)
        before = await app.listdir("/sys/class/mouse")
        await app.sleep(0.01)
        assert await app.listdir("/sys/class/mouse") == before

    found = Explorer(Body(body, devices=("mouse",))).seeds(range(1, 200))
    assert isinstance(found, Found)
    assert list(found.plan.stimuli) == ["unplug-mouse0"]
