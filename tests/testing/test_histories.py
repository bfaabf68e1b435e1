"""Histories: lists of device events, for example that a device is plugged in. A machine executes them, and
hypothesis generates them.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st

from simkernel import Machine, SimulationError, millis
from simkernel.hardware import Mouse
from simkernel.testing import strategies
from simkernel.testing.strategies import (
    Control,
    History,
    Plug,
    Stimulus,
    Unplug,
    Wait,
    histories,
)
from tests.examples import examples
from tests.testing.gauges import MODULES, Gauge, MinorsGauge

DRAW = settings(max_examples=2000, phases=[Phase.generate], database=None)
MOVE = Stimulus("mouse0", "move", {"dx": 3})


def play(history: History, **options: Any) -> Machine:
    """Execute a history on a new machine. Return the machine, which is closed."""
    with Machine(check_leaks=True, **options) as machine:
        history.play(machine)
        machine.run()
    return machine


def test_events_happen_in_order_and_wait_takes_time() -> None:
    with Machine() as machine:
        machine.run(until=millis(7))
        seen: list[tuple[int, str]] = []
        machine.trace.subscribe(lambda record: seen.append((record.time, record.name)))
        devices = History([Plug("mouse0"), Wait(millis(20)), MOVE, Wait(millis(30)), Unplug("mouse0")]).play(
            machine
        )
        machine.run()
        assert [(time, name) for time, name in seen if name in ("plug", "unplug")] == [
            (millis(7), "plug"),
            (millis(57), "unplug"),
        ]
        mouse = devices["mouse0"]
        assert isinstance(mouse, Mouse)
        assert mouse.statistics.made == 1


def test_a_control_changes_the_device() -> None:
    with Machine() as machine:
        History([Plug("mouse0"), Wait(millis(20)), Control("mouse", "set-rate", {"rate": 500})]).play(machine)
        machine.run()
        reply = machine.blocking().genetlink("mouse").do("get-device")
        assert reply is not None
        assert reply["rate"] == 500


def test_a_control_that_the_driver_refuses_is_no_failure() -> None:
    play(History([Plug("mouse0"), Wait(millis(20)), Control("mouse", "set-rate", {"rate": 3})]))
    play(History([Control("mouse", "set-rate", {"rate": 125})]))


def test_events_of_a_device_that_is_not_there_have_no_effect() -> None:
    play(History([Unplug("mouse0"), MOVE, Plug("mouse0"), Plug("mouse0"), Unplug("mouse0"), MOVE]))


def test_a_device_of_an_unknown_kind_is_an_error_that_says_what_to_do() -> None:
    with Machine() as machine:
        History([Plug("gauge0")]).play(machine)
        with pytest.raises(
            SimulationError, match="'gauge0': pass it in `devices`, or use a name that consists of"
        ):
            machine.run()


def test_a_device_of_the_users_own_is_passed_in() -> None:
    with Machine(module_path=MODULES, check_leaks=True) as machine:
        History([Plug("gauge0")]).play(machine, {"gauge0": Gauge()})
        machine.run()
        assert "gauge0" in machine.blocking().listdir("/dev")


@settings(max_examples=examples(25))
@given(histories("mouse0", "mouse1", "camera0"))
def test_a_drawn_history_can_be_pasted_and_leaves_nothing_behind(history: History) -> None:
    assert eval(repr(history), vars(strategies).copy()) == history
    machine = play(history)
    assert machine.statistics["oopses"] == 0


@settings(max_examples=examples(50))
@given(histories("mouse0", "camera0"))
def test_a_drawn_device_is_plugged_in_before_anything_happens_to_it(history: History) -> None:
    plugged: set[str] = set()
    for event in history.events:
        match event:
            case Plug(device):
                assert device not in plugged
                plugged.add(device)
            case Unplug(device):
                plugged.remove(device)
            case Stimulus(device):
                assert device in plugged
            case Control(family):
                assert f"{family}0" in plugged


@pytest.mark.parametrize("kind", [Plug, Unplug, Stimulus, Control, Wait])
def test_each_kind_of_event_is_drawn(kind: type) -> None:
    find(histories(), lambda drawn: any(isinstance(each, kind) for each in drawn.events), settings=DRAW)


def test_own_events_are_drawn() -> None:
    press = Stimulus("gauge0", "press")
    find(histories("gauge0", others=st.just(press)), lambda drawn: press in drawn.events, settings=DRAW)


@pytest.mark.long
def test_a_planted_bug_of_a_driver_shrinks_to_the_shortest_history() -> None:
    """The driver of this gauge never frees a minor number, so the second probe fails."""

    @settings(max_examples=300, derandomize=True, database=None, phases=[Phase.generate, Phase.shrink])
    @given(histories("gauge0"))
    def the_driver_has_no_oops(history: History) -> None:
        with Machine(module_path=MODULES) as machine:
            history.play(machine, {"gauge0": MinorsGauge()})
            machine.run()
            assert machine.statistics["oopses"] == 0

    with pytest.raises(AssertionError) as failed:
        the_driver_has_no_oops()
    lines = "\n".join(failed.value.__notes__).splitlines()
    printed = next(line for line in lines if "history=" in line).strip()
    assert printed == (
        "history=History(events=(Plug(device='gauge0'), Wait(ns=1000000), Unplug(device='gauge0'), "
        "Plug(device='gauge0'))),"
    )
    pasted = eval(printed.removeprefix("history=").removesuffix(","), vars(strategies).copy())
    with pytest.raises(AssertionError):
        the_driver_has_no_oops.hypothesis.inner_test(pasted)  # type: ignore[attr-defined]
