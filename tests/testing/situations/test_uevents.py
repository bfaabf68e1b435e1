"""Uevents that are lost without an error, duplicated, or reordered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from simkernel import Machine, millis
from simkernel.hardware import Mouse
from simkernel.testing.situations import uevents_doubled, uevents_lost, uevents_reordered
from simkernel.uapi.uevent import Uevent


def heard(situation: Callable[..., Any], select: Callable[[Uevent], bool]) -> list[Uevent]:
    """Plug and unplug a mouse in a `with` block of `situation`, for example `uevents_lost`. Return the
    uevents that a listener receives.
    """
    events: list[Uevent] = []

    def listener(app: Any) -> None:
        events.extend(app.uevents())

    with Machine() as machine:
        machine.spawn(listener)
        with situation(machine, select=select):
            machine.plug(mouse := Mouse())
            machine.run(until=millis(100))
            machine.unplug(mouse)
            machine.run(until=millis(300))
    return events


def numbers(events: list[Uevent]) -> list[int]:
    return [int(event.variables["SEQNUM"]) for event in events]


def is_node(event: Uevent) -> bool:
    return "DEVNAME" in event.variables


def test_a_lost_event_leaves_a_gap_and_no_error() -> None:
    events = heard(uevents_lost, is_node)
    found = numbers(events)
    missing = set(range(found[0], found[-1] + 1)) - set(found)
    assert len(missing) == 1
    assert [event.action for event in events if is_node(event)] == ["remove"]


def test_a_doubled_event_has_a_number_of_its_own() -> None:
    events = heard(uevents_doubled, is_node)
    first, second, last = (event for event in events if is_node(event))
    assert (first.action, first.devpath) == (second.action, second.devpath) == ("add", last.devpath)
    assert second.variables["SYNTH_UUID"] == "0"
    assert numbers([first]) < numbers([second])


def test_reordered_events_come_in_the_reverse_order_of_their_numbers() -> None:
    found = numbers(heard(uevents_reordered, is_node))
    place = next(place for place, number in enumerate(found) if number != found[0] + place)
    assert found[place] == found[place + 1] + 1
    assert sorted(found) == list(range(found[0], found[0] + len(found)))


def test_an_event_that_none_follows_is_late_and_not_reordered() -> None:
    with Machine(udev=False) as machine:
        monitor = machine.blocking().uevents()
        with pytest.raises(AssertionError, match="it needs two uevents"), uevents_reordered(machine):
            machine.plug(Mouse())
            assert next(monitor).action == "add"


@pytest.mark.parametrize("situation", [uevents_lost, uevents_doubled, uevents_reordered])
def test_a_situation_that_is_over_leaves_later_events_alone(situation: Callable[..., Any]) -> None:
    with Machine(udev=False) as machine:
        send = machine.kernel.uevents.broadcast
        situation(machine).disarm()
        assert machine.kernel.uevents.broadcast == send
