"""A program lists devices, and subscribes to uevents before or after that."""

from __future__ import annotations

from typing import Any

import pytest

from simkernel import millis
from simkernel.testing.situations import listed_before_subscribed
from simkernel.uapi.netlink import NETLINK_GENERIC
from tests.testing.situations.conftest import Equipped
from tests.testing.situations.requests import FAMILIES


def follower(app: Any, table: set[str], *, subscribe_first: bool) -> None:
    monitor = app.uevents() if subscribe_first else None
    table |= set(app.listdir("/sys/class/mouse"))
    for event in monitor or app.uevents():
        if event.variables["SUBSYSTEM"] == "mouse":
            (table.add if event.action == "add" else table.discard)(event.devpath.rpartition("/")[2])


@pytest.mark.parametrize(("subscribe_first", "left"), [(True, set()), (False, {"mouse0"})])
def test_only_a_program_that_subscribes_first_sees_the_device_go(
    equipped: Equipped, subscribe_first: bool, left: set[str]
) -> None:
    machine, table = equipped.machine, set[str]()
    with listed_before_subscribed(machine, change=lambda: machine.unplug(equipped.mouse)):
        machine.spawn(follower, table, subscribe_first=subscribe_first)
        machine.run(until=millis(300))
    assert table == left


def test_a_dump_is_a_list_too(equipped: Equipped) -> None:
    machine = equipped.machine
    sock = machine.blocking().socket(proto=NETLINK_GENERIC)
    changed: list[int] = []
    with listed_before_subscribed(machine, change=lambda: changed.append(machine.now)):
        sock.send(FAMILIES)
        assert not changed
        sock.recv(8192)
    assert changed
