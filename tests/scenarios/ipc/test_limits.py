"""For each transport, the report names a command whose run shows the transport's limit. The tests execute
these runs.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from simkernel.scenario import Run, Text
from tests.scenarios.ipc.conftest import run

Figures = dict[str, Any]


def rows(figures: Figures, what: str, **wanted: Any) -> list[Figures]:
    return [row for row in figures[what] if all(row[name] == value for name, value in wanted.items())]


def event(figures: Figures, transport: str) -> Figures:
    (found,) = rows(figures, "events", transport=transport)
    return found


def lost(figures: Figures, transport: str) -> int:
    """Return how many of 1000 events a busy program lost."""
    return int(rows(figures, "probes", transport=transport)[0]["flow"].split()[1].rstrip(","))


SHOWN: dict[str, Callable[[Figures], bool]] = {
    "netlink": lambda told: event(told, "netlink")["told_asleep"] < 20
    and event(told, "netlink")["losses"] == "ENOBUFS",
    "ioctl": lambda told: event(told, "ioctl")["calls"] > 50 * event(told, "netlink")["calls"],
    "read": lambda told: event(told, "read")["told_asleep"] == 64 < event(told, "read")["asleep"] == 100,
    "mmap": lambda told: event(told, "mmap")["p99"] > 500_000 and event(told, "mmap")["told_asleep"] == 1,
    "sysfs": lambda told: rows(told, "questions", size=4096)[0]["why"] == "≤2047 B",
    "eventfd": lambda told: event(told, "eventfd")["told_asleep"] == 1000
    and event(told, "eventfd")["copied"] == 8,
    "sigio": lambda told: lost(told, "sigio") > lost(told, "read")
    and rows(told, "probes", transport="sigio")[0]["flow"].endswith("unreported"),
    "pipe": lambda told: event(told, "pipe")["many_calls"] == 100
    and event(told, "usersock")["many_calls"] == 51,
    "unix-stream": lambda told: rows(told, "frames", transport="unix-stream")[-1]["p50"]
    > 1000 * rows(told, "frames", transport="mmap")[-1]["p50"],
    "unix-dgram": lambda told: rows(told, "questions")[0]["why"] == "EMSGSIZE",
    "shm": lambda told: rows(told, "questions", transport="shm")[0]["p50"]
    > 1_000_000 > 10 * rows(told, "questions", transport="pipe")[0]["p50"],
    "signal": lambda told: event(told, "signal")["told_flood"] < 100 < event(told, "pipe")["told_flood"],
    "usersock": lambda told: event(told, "usersock")["told_asleep"] < 1000
    and event(told, "usersock")["losses"] == "ENOBUFS",
}  # fmt: skip
"""For each transport: a function that returns True if the figures of a run show the transport's limit."""


def commands(whole: Run) -> dict[str, dict[str, str]]:
    """Return, by transport, the settings of the run that shows the transport's limit. Source: the command in
    the report's paragraph about the transport.
    """
    found = {}
    for part in whole.parts:
        if isinstance(part, Text) and "\n  simkernel run ipc " in part.text:
            transport, _, rest = part.text.partition(" (")
            told = rest.partition("\n  simkernel run ipc ")[2].replace("\\\n", " ")
            settings = re.findall(r"--set (\w+)=(\S+)", told)
            assert told.split() == [word for name, value in settings for word in ("--set", f"{name}={value}")]
            found[transport] = dict(settings)
    return found


def test_every_transport_has_a_paragraph_with_a_run(whole: Run) -> None:
    assert list(commands(whole)) == list(SHOWN)
    lines = [line for part in whole.parts if isinstance(part, Text) for line in part.text.split("\n")[1:]]
    assert all(len(line) <= 80 for line in lines if line.startswith("  "))


BUSY = ("ioctl", "pipe", "shm", "signal", "unix-stream")
"""Transports whose limit shows only in a run with many calls. Such a run is slow."""


@pytest.mark.parametrize(
    "transport", [pytest.param(each, marks=[pytest.mark.long] * (each in BUSY)) for each in SHOWN]
)
def test_the_limit_shows(transport: str, whole: Run) -> None:
    assert SHOWN[transport](run(**commands(whole)[transport]).metrics)


def test_a_run_below_the_limit_loses_nothing() -> None:
    easy = {"job": "event", "probes": False, "messages": 20, "asleep": 50}
    for transport in ("netlink", "read", "usersock"):
        assert event(run(transports=transport, **easy).metrics, transport)["told_asleep"] == 50
