"""Flows of a machine that is watched, not watched, and watched again."""

from __future__ import annotations

from typing import Any

from simkernel import Machine, micros
from simkernel.engine import Record
from simkernel.uapi.netlink import NETLINK_USERSOCK
from simkernel.uapi.socket import AF_NETLINK, SOCK_RAW

ASKER, SERVER, OTHER = 100, 200, 300


async def ask(app: Any, portid: int, *times: int) -> None:
    """Send to the server at these microseconds."""
    sock = await app.socket(AF_NETLINK, SOCK_RAW, NETLINK_USERSOCK)
    await sock.bind((portid, 0))
    for time in times:
        await app.sleep((micros(time) - app.monotonic_ns()) / 1e9)
        await sock.sendto(b"question", (SERVER, 0))
    await app.sleep(1)


async def answer(app: Any) -> None:
    """Answer every question after a while."""
    sock = await app.socket(AF_NETLINK, SOCK_RAW, NETLINK_USERSOCK)
    await sock.bind((SERVER, 0))
    while True:
        _, sender = await sock.recvfrom(100)
        await app.sleep(500e-6)
        await sock.sendto(b"answer", sender)


def test_what_comes_of_a_message_that_nobody_saw_is_no_part_of_an_old_story() -> None:
    with Machine(udev=False) as machine:
        records: list[Record] = []
        machine.spawn(answer)
        machine.spawn(ask, ASKER, 1000)
        machine.spawn(ask, OTHER, 2500)
        unsubscribe = machine.trace.subscribe(records.append)
        machine.run(until=micros(2000))
        unsubscribe()
        old = {each.flow for each in records}
        records.clear()
        machine.run(until=micros(2800))
        machine.trace.subscribe(records.append)
        machine.run(until=micros(3500))
    sent = [each.flow for each in records if each.name == "netlink_unicast"]
    assert len(sent) == 1
    assert len(old) > 1
    assert not old & {*sent}
