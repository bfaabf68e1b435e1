from __future__ import annotations

import io
import json
from collections import defaultdict
from typing import Any

from hypothesis import given

from simkernel.engine import Record
from simkernel.hardware.layer import HARDWARE
from simkernel.kernel.lib.layers import DRIVER, KERNEL
from simkernel.trace import TraceJson
from simkernel.trace import perfetto as module
from tests.trace.records import ANY_RECORDS, STORY, enter, feed, leave, record

Event = dict[str, Any]


def events(records: list[Record]) -> list[Event]:
    file = io.StringIO()
    feed(TraceJson(file), records)
    document = json.loads(file.getvalue())
    assert document["displayTimeUnit"] == "ns"
    return document["traceEvents"]


def nanoseconds(event: Event, key: str) -> int:
    whole = round(event[key] * 1000)
    assert whole / 1000 == event[key]
    return whole


def bound(trace: list[Event]) -> list[tuple[Event, Event]]:
    """Return each flow event with the slice to which Perfetto binds it: the innermost slice of the same track
    at the event's time.
    """

    def order(event: Event) -> tuple[int, float]:
        ts = nanoseconds(event, "ts")
        return (ts, -nanoseconds(event, "dur")) if event["ph"] == "X" else (ts, 0)

    stacks: dict[int, list[Event]] = defaultdict(list)
    found = []
    for event in sorted((each for each in trace if each["ph"] != "M"), key=order):
        stack = stacks[event["tid"]]
        if event["ph"] != "X":
            found.append((event, stack[-1]))
            continue
        start, duration = nanoseconds(event, "ts"), nanoseconds(event, "dur")
        while stack:
            top_start, top_duration = nanoseconds(stack[-1], "ts"), nanoseconds(stack[-1], "dur")
            both_points = duration == 0 and top_duration == 0 and top_start == start
            if both_points or top_start + top_duration > start:
                assert both_points or start + duration <= top_start + top_duration, "slices overlap in part"
                break
            stack.pop()
        stack.append(event)
    return found


def check(trace: list[Event]) -> None:
    """Check the rules of the Trace Event Format for the events that simkernel writes."""
    assert {event["ph"] for event in trace} <= {"M", "X", "s", "t", "f"}
    named = {(event["name"], event["pid"], event["tid"]) for event in trace if event["ph"] == "M"}
    phases: dict[int, list[str]] = defaultdict(list)
    for event in trace:
        if event["ph"] != "M":
            assert ("thread_name", event["pid"], event["tid"]) in named
            assert ("process_name", event["pid"], event["pid"]) in named
        if event["ph"] in "stf":
            phases[event["id"]].append(event["ph"])
    for steps in phases.values():
        assert steps[0] == "s" and steps[-1] == "f" and set(steps[1:-1]) <= {"t"}
    assert all(event.get("bp") == "e" for event in trace if event["ph"] == "f")
    bound(trace)


@given(ANY_RECORDS)
def test_the_trace_is_valid_for_any_records(records: list[Record]) -> None:
    check(events(records))


@given(ANY_RECORDS)
def test_every_record_is_there(records: list[Record]) -> None:
    slices = [event for event in events(records) if event["ph"] == "X"]
    beginnings = [each for each in records if each.name in module.SLICES]
    points = [each for each in records if each.name not in module.SLICES]
    ends = sum(1 for each in slices if each["dur"] and "entered" in each["args"])
    assert len(beginnings) <= len(slices) <= len(beginnings) + len(points)
    assert ends <= len(points)


def test_the_layers_are_processes_from_the_application_down() -> None:
    trace = events(STORY)
    names = {each["pid"]: each["args"]["name"] for each in trace if each["name"] == "process_name"}
    order = {
        each["pid"]: each["args"]["sort_index"] for each in trace if each["name"] == "process_sort_index"
    }
    assert [names[pid] for pid in sorted(names, key=lambda pid: order[pid])] == [
        "application",
        "kernel",
        "driver",
        "hardware",
    ]


def test_arrows_follow_a_message_through_the_layers() -> None:
    paths: dict[int, list[str]] = defaultdict(list)
    for arrow, slice_ in bound(events(STORY)):
        paths[arrow["id"]].append(slice_["name"])
    assert list(paths.values()) == [
        ["sendto", "netlink_deliver_tap", "netlink_unicast", "camera stream-on", "write CONTROL", "recvfrom"],
        [
            "frame_start",
            "irq_raise",
            "irq 9 camera0",
            "read STATUS",
            "netlink_broadcast",
            "recvfrom returns",
        ],
    ]


def test_a_call_is_a_slice_with_its_arguments_and_its_error() -> None:
    (call,) = [each for each in events(STORY) if each["name"] == "recvfrom"]
    assert (call["ts"], call["dur"]) == (0.16, 0.79)
    assert call["args"]["arguments"] == [3, 4096, 0]
    assert call["args"]["error"] == 105


def test_slices_that_overlap_stand_side_by_side() -> None:
    trace = events(
        [
            record(10, "irq_handler_entry", DRIVER, "camera", irq=9, name="camera0"),
            record(12, "irq_handler_entry", DRIVER, "camera", irq=10, name="camera1"),
            record(20, "irq_handler_exit", DRIVER, "camera", irq=9, name="camera0"),
            record(25, "irq_handler_exit", DRIVER, "camera", irq=10, name="camera1"),
            record(30, "irq_handler_entry", DRIVER, "camera", irq=10, name="camera1"),
            record(31, "irq_handler_exit", DRIVER, "camera", irq=10, name="camera1"),
        ]
    )
    check(trace)
    first, second, third = (each["tid"] for each in trace if each["ph"] == "X")
    assert first == third != second
    threads = [each["args"]["name"] for each in trace if each["name"] == "thread_name"]
    assert threads == ["camera", "camera (2)"]


def test_a_call_that_has_not_returned_lasts_to_the_end() -> None:
    trace = events([enter(10, 1, "recvfrom", 3, 10, 0), record(500, "frame_start", HARDWARE, "camera0")])
    (call,) = [each for each in trace if each["name"] == "recvfrom"]
    assert call["dur"] == 0.49


def test_the_flows_held_back_are_bounded(monkeypatch) -> None:
    monkeypatch.setattr(module, "MAX_FLOWS", 3)
    records = [record(time, "step", KERNEL, "netlink", flow) for time in (1, 2) for flow in range(1, 10)]
    trace = events(records)
    check(trace)
    assert sum(each["ph"] == "X" for each in trace) == len(records)
    exporter = TraceJson(io.StringIO())
    for each in records:
        exporter(each)
    assert len(exporter._last) == 3


def test_bytes_after_the_end_are_ignored() -> None:
    file = io.StringIO()
    exporter = TraceJson(file)
    feed(exporter, STORY)
    whole = file.getvalue()
    exporter(leave(2000, 7, "getpid", result=7))
    exporter.close()
    assert file.getvalue() == whole
