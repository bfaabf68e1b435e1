"""Limits at which the result of a capability probe changes, for example the number of calls of a listener."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from scenarios.ipc import probes

WAKING = [
    # Parameters: the number of the listener's system calls, the number of its memory reads, and True if the
    # event arrived. Expected results: the cells "peer may start" and "needs polling".
    (2, 0, True, "yes", "no"),
    (3, 0, True, "yes", "no"),
    (4, 0, True, "no", "yes: 4 calls"),
    (40, 0, True, "no", "yes: 40 calls"),
    (3, 1, True, "no", "yes: 1 looks"),
    (0, 25, True, "no", "yes: 25 looks"),
    (4, 25, True, "no", "yes: 4 calls"),
    (3, 0, False, "no", "no"),
]


@pytest.mark.parametrize(("calls", "lookups", "arrived", "starts", "polling"), WAKING)
def test_a_listener_that_is_woken_makes_at_most_three_calls(
    monkeypatch: pytest.MonkeyPatch, calls: int, lookups: int, arrived: bool, starts: str, polling: str
) -> None:
    delivery = SimpleNamespace(listeners=[SimpleNamespace(lookups=lookups)], arrived=lambda listener: arrived)
    monkeypatch.setattr(probes, "one_event", lambda bench, transport: (delivery, calls))
    anything: Any = None
    assert probes.starts(anything, anything) == starts
    assert probes.polling(anything, anything) == polling


MULTICAST = [
    # Parameters: peer, number of sends, number of receiving listeners. Expected result: the cell "multicast".
    ("driver", 1, 3, "yes: 3 of 3"),
    ("driver", 1, 2, "no: 2 of 3"),
    ("driver", 0, 3, "yes: 3 of 3"),
    ("program", 1, 3, "yes: 3 of 3, 1 send"),
    ("program", 3, 3, "no: 3 of 3, 3 sends"),
    ("program", 2, 3, "no: 3 of 3, 2 sends"),
]


@pytest.mark.parametrize(("peer", "sends", "arrived", "expected"), MULTICAST)
def test_a_multicast_reaches_three_listeners_with_one_send(
    monkeypatch: pytest.MonkeyPatch, peer: str, sends: int, arrived: int, expected: str
) -> None:
    delivery = SimpleNamespace(listeners=[1, 2, 3], arrived=lambda listener: listener <= arrived, sends=sends)
    monkeypatch.setattr(probes, "one_event", lambda bench, transport, listeners: (delivery, 0))
    transport: Any = SimpleNamespace(peer=peer)
    assert probes.multicast(transport, transport) == expected


BOUNDS = [
    # Parameters: the numbers that a listener reads after two messages, and the bytes that it reads of an
    # incomplete message. Expected result: the cell "keeps bounds".
    ([1], b"", "yes"),
    ([1, 2], b"", "no: added up"),
    ([2], b"", "no: overwritten"),
    ([], b"", "no: merged"),
    ([3], b"", "no: merged"),
    ([1], b"x", "no: cut amid"),
]


@pytest.mark.parametrize(("numbers", "rest", "expected"), BOUNDS)
def test_bounds_of_two_messages(
    monkeypatch: pytest.MonkeyPatch, numbers: list[int], rest: bytes, expected: str
) -> None:
    outcomes = iter([(8, [1]), ((numbers, rest), [1, 2])])
    monkeypatch.setattr(probes, "play", lambda bench, transport, count, act: next(outcomes))
    anything: Any = None
    assert probes.bounds(anything, anything) == expected


FLOW = [
    # Parameters: peer, number of received messages, errors, number of sent messages. Expected result: the
    # cell "flow, if unread".
    ("driver", 1000, [], 1000, "added up: 1000"),
    ("driver", 999, [], 999, "EAGAIN after 999"),
    ("driver", 990, ["ENOBUFS"], 1000, "lost 10, ENOBUFS"),
    ("driver", 990, [], 1000, "lost 10, a gap"),
    ("program", 1000, [], 1000, "EAGAIN after 1000"),
    ("program", 5000, [], 5000, "added up: 5000"),
]


@pytest.mark.parametrize(("peer", "received", "errors", "sent", "expected"), FLOW)
def test_flow_of_many_messages(
    monkeypatch: pytest.MonkeyPatch, peer: str, received: int, errors: list[str], sent: int, expected: str
) -> None:
    result = (list(range(received)), errors), list(range(sent))
    monkeypatch.setattr(probes, "play", lambda bench, transport, count, act, wait: result)
    transport: Any = SimpleNamespace(peer=peer)
    assert probes.flow(transport, transport) == expected
