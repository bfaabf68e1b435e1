"""Tests of the figures in the comparison of transports: counts of copies and calls, and relations between the
simulated times.
"""

from __future__ import annotations

from typing import Any

import pytest

from simkernel.engine import SimulationError
from simkernel.scenario import Run, Text
from tests.scenarios.ipc.conftest import run

Rows = dict[str, dict[int, dict[str, Any]]]

COPIES = {"netlink": 1.5, "ioctl": 1, "read": 1, "mmap": 0, "pipe": 2, "unix-stream": 2, "unix-dgram": 2,
          "shm": 0, "usersock": 2}  # fmt: skip
"""Number of copied bytes per byte of payload, for a request of 64 KiB and its reply. The headers add at most
0.01 to this number.
"""
CALLS = {"netlink": 2, "ioctl": 1, "read": 2, "mmap": 1, "sysfs": 2, "unix-dgram": 4, "usersock": 4}
TO_THE_DRIVER = ("netlink", "ioctl", "read", "mmap", "sysfs")


def by_transport(rows: list[dict[str, Any]]) -> Rows:
    found: Rows = {}
    for row in rows:
        found.setdefault(row["transport"], {})[row["size"]] = row
    return found


@pytest.fixture(scope="module")
def questions(whole: Run) -> Rows:
    return by_transport(whole.metrics["questions"])


@pytest.fixture(scope="module")
def frames(whole: Run) -> Rows:
    return by_transport(whole.metrics["frames"])


@pytest.fixture(scope="module")
def events(whole: Run) -> dict[str, dict[str, Any]]:
    return {row["transport"]: row for row in whole.metrics["events"]}


def test_missing_figures_have_a_reason(questions: Rows, frames: Rows) -> None:
    assert {transport for transport, rows in questions.items() if rows[16]["why"]} == {
        "eventfd",
        "sigio",
        "signal",
    }
    assert {transport for transport, rows in frames.items() if rows[38400]["why"]} == {
        "ioctl", "sysfs", "eventfd", "sigio", "signal",
    }  # fmt: skip
    assert [row["why"] for row in questions["sysfs"].values()] == [None] * 3 + ["≤2047 B"] + ["≤4096 B"] * 2
    for rows in (*questions.values(), *frames.values()):
        for row in rows.values():
            assert (row["why"] is None) == (row["p50"] is not None)


def test_copies_per_byte(questions: Rows, frames: Rows) -> None:
    for transport, copies in COPIES.items():
        assert questions[transport][65536]["copies"] == pytest.approx(copies, abs=0.01)
    assert frames["netlink"][4_147_200]["copies"] == pytest.approx(2, abs=0.01)
    assert frames["read"][4_147_200]["copies"] == 1
    assert frames["mmap"][4_147_200]["copies"] == frames["shm"][4_147_200]["copies"] == 0


def test_calls_are_counted(questions: Rows, frames: Rows) -> None:
    for transport, calls in CALLS.items():
        assert questions[transport][16]["calls"] == calls
    assert [row["calls"] for row in frames["mmap"].values()] == [1] * 5
    calls = [row["calls"] for row in frames["netlink"].values()]
    assert calls == sorted(calls)
    assert calls[-1] > 100


@pytest.mark.parametrize("size", [16, 1024, 4096, 65536])
def test_questions_take_longer_with_more_calls_and_copies(questions: Rows, size: int) -> None:
    times = [questions[transport][size]["p50"] for transport in ("mmap", "ioctl", "read", "netlink")]
    assert times == sorted(set(times))
    assert times[-1] < questions["usersock"][size]["p50"]  # no task must be woken


def test_latency_equals_cpu_time_where_nothing_sleeps(questions: Rows) -> None:
    for transport in TO_THE_DRIVER:
        for row in questions[transport].values():
            if row["why"] is None:
                assert row["p50"] == row["cpu"] == pytest.approx(1e9 / row["rate"], rel=0.001)


def test_load_makes_a_tail_where_a_program_is_woken(questions: Rows) -> None:
    for transport in ("pipe", "unix-stream", "usersock", "shm"):
        assert max(row["p99"] for row in questions[transport].values()) > 10_000
    for rows in questions.values():
        for row in rows.values():
            assert row["p50"] is None or row["p50"] <= row["p99"]


def test_each_transport_refuses_long_questions_in_its_own_manner() -> None:
    def why(size: int) -> dict[str, str | None]:
        told = run(job="question", probes=False, messages=10, size=size).metrics["questions"]
        return {row["transport"]: row["why"] for row in told if row["why"] != "no bytes"}

    taken = {"pipe": None, "unix-stream": None, "shm": None, "sysfs": "≤4096 B"}
    bounded = {"ioctl": "EINVAL", "read": "EINVAL", "mmap": "≤65536 B"}
    assert why(100_000) == taken | bounded | {"netlink": "EINVAL", "unix-dgram": None, "usersock": None}
    too_long = dict.fromkeys(("netlink", "unix-dgram", "usersock"), "EMSGSIZE")
    assert why(1 << 20) == taken | bounded | too_long


def test_time_of_a_mapped_frame_does_not_depend_on_its_size(frames: Rows) -> None:
    assert len({row["p50"] for row in frames["mmap"].values()}) == 1
    for transport in ("netlink", "read", "pipe"):
        times = [row["p50"] for row in frames[transport].values()]
        assert times == sorted(set(times))
    assert frames["netlink"][4_147_200]["p50"] > 100 * frames["mmap"][4_147_200]["p50"]


def test_notified_listeners_make_fewer_calls_than_polling_ones(events: dict[str, dict[str, Any]]) -> None:
    for transport in ("netlink", "read", "eventfd"):
        assert events[transport]["calls"] == 1
    for transport in ("pipe", "unix-stream", "unix-dgram", "usersock"):
        assert events[transport]["calls"] == 2
    for transport in ("ioctl", "sysfs"):
        assert events[transport]["calls"] > 5
    assert events["pipe"]["many_calls"] == 20
    assert events["usersock"]["many_calls"] == 11


@pytest.mark.long
def test_report_says_whether_polling_is_later() -> None:
    for poll, said in ((2, "has it just as soon."), (50, "has it later.")):
        story = run(transports="netlink,ioctl", job="event", probes=False, messages=20, poll=poll)
        netlink, ioctl = story.metrics["events"]
        assert (ioctl["p50"] > netlink["p50"]) == (poll == 50)
        texts = [part.text for part in story.parts if isinstance(part, Text)]
        assert sum(said in text for text in texts) == 1


def test_listeners_receive_no_more_events_than_were_sent(events: dict[str, dict[str, Any]]) -> None:
    kept = {transport: row["told_asleep"] for transport, row in events.items()}
    for row in events.values():
        assert 0 < row["told_asleep"] <= 1000
        assert 0 < row["told_flood"] <= 500
        assert row["asleep"] <= 1000
    assert {transport for transport, count in kept.items() if count == 1000} == {
        "eventfd", "sigio", "pipe", "unix-stream", "unix-dgram", "signal",
    }  # fmt: skip
    assert kept["read"] == 64
    assert {transport for transport, count in kept.items() if count == 1} == {"ioctl", "mmap", "sysfs", "shm"}
    assert {transport for transport, row in events.items() if row["losses"] == "ENOBUFS"} == {
        "netlink",
        "usersock",
    }
    assert {transport for transport, row in events.items() if row["losses"] == "sender waits"} == {
        "unix-stream", "unix-dgram",
    }  # fmt: skip


def test_fastest_transports_are_named(whole: Run) -> None:
    assert whole.metrics["quickest_to_the_driver"] == {
        "question": ["mmap", "ioctl"],
        "frame": ["mmap", "read"],
    }


def test_chance_comes_from_the_seed() -> None:
    def told(seed: int) -> Any:
        from simkernel.cli import stories

        parameters = {
            "transports": "pipe,netlink",
            "messages": 20,
            "probes": False,
            "size": 64,
            "frame": "160x120",
        }
        return stories.load(stories.find("ipc")).run(seed=seed, parameters=parameters).metrics

    assert told(1) == told(1)
    assert told(1) != told(2)


def test_without_load_there_is_no_tail() -> None:
    for row in run(job="question", probes=False, load=0, messages=20, transports="ioctl,netlink").metrics[
        "questions"
    ]:
        assert row["p50"] == row["p99"]


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        (
            {"transports": "carrier-pigeon"},
            "parameter transports is one or more of all, netlink, ioctl, read, mmap",
        ),
        ({"transports": "netlink,"}, "parameter transports is one or more of"),
        ({"job": "answer"}, "parameter job is one or more of all, question, event, frame, not 'answer'"),
        ({"frame": "640x481"}, "parameter frame is one or more of all, 160x120"),
        ({"size": -1}, "parameter size is a whole number from 0 to 1048576 bytes, not -1"),
        ({"cpus": 0}, "parameter cpus is a whole number from 1 to 64"),
        ({"load": 1}, "parameter load is a number from 0 to 0.95"),
        ({"transport": "netlink"}, "scenario ipc has no parameter 'transport'"),
        (
            {"transports": "eventfd,signal", "job": "frame"},
            "eventfd, signal can do none of the chosen jobs; these can: frame: netlink, read",
        ),
    ],
)
def test_wrong_settings_are_refused(parameters: dict[str, Any], said: str) -> None:
    with pytest.raises(SimulationError, match=said):
        run(**parameters)
