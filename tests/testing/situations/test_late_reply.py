"""A client gives up on a reply, asks again, and gets the old reply first."""

from __future__ import annotations

from typing import Any

import pytest

from simkernel import seconds
from simkernel.testing.situations import late_reply
from simkernel.uapi.netlink import NETLINK_GENERIC, NLM_F_ACK, NLM_F_REQUEST, message
from tests.testing.situations.conftest import Equipped
from tests.testing.situations.requests import headers


async def client(app: Any, results: list[int], *, checks: bool) -> None:
    """Send three requests, and wait for the reply to each until a timeout. Append the sequence number of each
    accepted reply to `results`. If `checks` is true, accept only a reply with the sequence number of the
    latest request.
    """
    sock = await app.socket(proto=NETLINK_GENERIC)
    await sock.settimeout(1.5)
    for sequence in (1, 2, 3):
        await sock.send(message(1, flags=NLM_F_REQUEST | NLM_F_ACK, seq=sequence))
        try:
            while True:
                ((_, answered),) = headers(await sock.recv(8192))
                if answered == sequence or not checks:
                    results.append(answered)
                    break
        except TimeoutError:
            await app.sleep(1)


@pytest.mark.parametrize(("checks", "answers"), [(True, [2, 3]), (False, [1, 2])])
def test_only_a_client_that_checks_sequence_numbers_gets_its_own_reply(
    equipped: Equipped, checks: bool, answers: list[int]
) -> None:
    results: list[int] = []
    with late_reply(equipped.machine, "client"):
        equipped.machine.spawn(client, results, checks=checks)
        equipped.machine.run()
    assert results == answers


def test_a_client_without_a_timeout_waits(equipped: Equipped) -> None:
    machine = equipped.machine
    mouse = machine.blocking().genetlink("mouse")
    before = machine.now
    with late_reply(machine, delay=seconds(3)):
        assert mouse.do("get-state") is not None
    assert machine.now - before >= seconds(3)


def test_the_next_owner_of_the_port_id_gets_the_reply(equipped: Equipped) -> None:
    machine = equipped.machine
    first, second = machine.blocking(), machine.blocking()
    sock = first.socket(proto=NETLINK_GENERIC)
    sock.bind((4711, 0))
    with late_reply(machine):
        sock.send(message(1, flags=NLM_F_REQUEST | NLM_F_ACK, seq=99))
        sock.close()
        heir = second.socket(proto=NETLINK_GENERIC)
        heir.bind((4711, 0))
        assert headers(heir.recv(8192)) == [(2, 99)]
