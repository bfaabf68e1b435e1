"""A daemon that lists mice and follows their uevents loses an event."""

from __future__ import annotations

from typing import Any

import pytest

from simkernel import millis
from simkernel.testing.situations import overrun
from simkernel.uapi.errno import ENOBUFS
from tests.testing.situations.conftest import Equipped


async def daemon(app: Any, table: set[str], *, resync: bool) -> None:
    monitor = await app.uevents()
    table |= set(await app.listdir("/sys/class/mouse"))
    while True:
        try:
            event = await anext(monitor)
        except OSError as error:
            assert error.errno == ENOBUFS
            if resync:
                table.clear()
                table |= set(await app.listdir("/sys/class/mouse"))
            continue
        if event.variables["SUBSYSTEM"] == "mouse" and event.action == "remove":
            table.discard(event.devpath.rpartition("/")[2])


@pytest.mark.parametrize(("resync", "left"), [(True, set()), (False, {"mouse0"})])
def test_only_a_daemon_that_lists_again_follows_the_kernel(
    equipped: Equipped, resync: bool, left: set[str]
) -> None:
    machine, table = equipped.machine, set[str]()
    machine.spawn(daemon, table, resync=resync, name="follower")
    machine.run(until=millis(110))
    with overrun(machine, "follower", lost=5) as occurrence:
        machine.unplug(equipped.mouse)
        machine.run(until=millis(300))
    assert table == left
    assert occurrence.happened == machine.statistics["netlink"]["overruns"]


def test_the_error_comes_once_and_later_events_arrive(equipped: Equipped) -> None:
    machine = equipped.machine
    monitor = machine.blocking().uevents()
    with overrun(machine):
        machine.unplug(equipped.mouse)
        with pytest.raises(OSError, match="buffer space"):
            next(monitor)
    machine.plug(equipped.mouse)
    assert any(next(monitor).action == "add" for _ in range(20))


def test_other_programs_lose_nothing(equipped: Equipped) -> None:
    machine = equipped.machine
    slow, quick = machine.blocking(), machine.blocking()
    monitors = slow.uevents(), quick.uevents()
    with overrun(machine, slow):
        machine.unplug(equipped.mouse)
        machine.run(until=millis(300))
    with pytest.raises(OSError, match="buffer space"):
        next(monitors[0])
    assert next(monitors[1]).action in ("remove", "unbind")
