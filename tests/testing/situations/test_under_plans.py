"""Functions of simkernel.testing.situations have the same effect under every plan of the explorer. A plan
fixes the order of events in a run.
"""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from simkernel import millis, seconds
from simkernel.explore.explorer import Explorer, Held
from simkernel.explore.run import Trial
from simkernel.hardware import Mouse
from simkernel.testing.situations import listed_before_subscribed, overrun


async def follow(app: Any, table: set[str], *, sound: bool) -> None:
    """Follow the mice. A correct client subscribes before it lists, and lists again after an overrun."""
    monitor = await app.uevents() if sound else None
    table |= set(await app.listdir("/sys/class/mouse"))
    monitor = monitor or await app.uevents()
    while True:
        try:
            event = await anext(monitor)
        except OSError:
            if sound:
                table.clear()
                table |= set(await app.listdir("/sys/class/mouse"))
            continue
        if event.variables["SUBSYSTEM"] == "mouse":
            (table.add if event.action == "add" else table.discard)(event.devpath.rpartition("/")[2])


@attrs.frozen
class Story:
    """A target for the explorer: a mouse is unplugged. If `situation` is "listed", this happens after the
    program has listed the mice. If it is "overrun", the program loses uevents.
    """

    situation: str
    sound: bool

    def run(self, trial: Trial) -> None:
        with trial.machine() as machine:
            machine.plug(mouse := Mouse())
            machine.run(until=millis(100))
            trial.began()
            table = set[str]()
            if self.situation == "listed":
                occurrence = listed_before_subscribed(
                    machine, "follow", change=lambda: machine.unplug(mouse), within=seconds(1)
                )
            else:
                occurrence = overrun(machine, "follow", lost=9)
                machine.at(millis(400), machine.unplug, mouse)
            with occurrence:
                machine.spawn(follow, table, sound=self.sound)
                machine.run(until=seconds(4))
            assert table == set()


@pytest.mark.parametrize("situation", ["listed", "overrun"])
def test_a_sound_program_passes_under_every_plan(situation: str) -> None:
    result = Explorer(Story(situation, sound=True)).seeds(range(12))
    assert isinstance(result, Held), result


@pytest.mark.parametrize("situation", ["listed", "overrun"])
def test_a_faulty_program_fails_in_the_first_run(situation: str) -> None:
    assert Explorer(Story(situation, sound=False)).default().failure is not None
