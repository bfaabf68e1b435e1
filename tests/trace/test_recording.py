"""Tests of the recording of a run. The level of a queue is the memory that its socket uses. The spans of a
task's row are the times at which the task is busy. The size of a recording is limited.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from contextlib import suppress
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simkernel import Machine, millis
from simkernel.engine import Record
from simkernel.hardware import Camera
from simkernel.trace.layers import APPLICATION, DRIVER, HARDWARE, KERNEL
from simkernel.trace.recording import (
    MAX_FLOWS,
    MAX_POINTS,
    MAX_QUEUES,
    MAX_ROWS,
    PORT,
    SPANS,
    Recording,
)
from simkernel.uapi.netlink import NETLINK_USERSOCK
from simkernel.uapi.socket import AF_NETLINK, MSG_DONTWAIT, SO_MEMINFO, SO_RCVBUF, SOCK_RAW, SOL_SOCKET

Reading = tuple[int, int]


def queues(recording: Recording) -> dict[str, dict[str, Any]]:
    return {each["name"]: each for each in recording.as_dict()["queues"]}


def rows(recording: Recording) -> dict[str, list[list[int]]]:
    return {each["name"]: each["spans"] for each in recording.as_dict()["rows"]}


@given(
    st.integers(2304, 9000),
    st.lists(st.one_of(st.integers(16, 5000), st.none()), max_size=12),
)
def test_the_levels_of_a_queue_are_its_memory_as_so_meminfo_has_it(
    limit: int, steps: list[int | None]
) -> None:
    with Machine() as machine:
        recording = Recording(machine)
        program = machine.blocking()
        sender, receiver = (program.socket(AF_NETLINK, SOCK_RAW, NETLINK_USERSOCK) for _ in range(2))
        sender.bind((1, 0))
        receiver.bind((2, 0))
        receiver.setsockopt(SOL_SOCKET, SO_RCVBUF, limit // 2)
        expected = [0]
        for length in steps:
            with suppress(BlockingIOError):
                receiver.recv(1, MSG_DONTWAIT) if length is None else sender.sendto(
                    bytes(length), MSG_DONTWAIT, (2, 0)
                )
            memory = receiver.getsockopt(SOL_SOCKET, SO_MEMINFO, 36)
            rmem, rcvbuf = struct.unpack_from("<2I", memory)
            expected += [rmem] if rmem != expected[-1] else []
            assert rcvbuf == max(2304, limit // 2 * 2)
        levels = [level for each in recording.as_dict()["queues"] for _, level in each["points"]]
    assert levels[levels[:1] == [0] :] == expected[1:]


async def talker(app: Any, group: int, messages: int) -> None:
    sock = await app.socket(AF_NETLINK, SOCK_RAW, NETLINK_USERSOCK)
    await app.sleep(0.001)
    for _ in range(messages):
        with suppress(ConnectionRefusedError):  # the kernel has no socket of this protocol
            await sock.sendto(bytes(100), (0, 1 << group - 1))


async def sleeper(app: Any, group: int) -> None:
    sock = await app.socket(AF_NETLINK, SOCK_RAW, NETLINK_USERSOCK)
    await sock.setsockopt(SOL_SOCKET, SO_RCVBUF, 2304 // 2)
    await sock.bind((0, 1 << group - 1))
    await app.sleep(1)


def test_a_full_queue_emits_linuxs_record_and_the_recording_marks_the_loss() -> None:
    records: list[Record] = []
    with Machine() as machine:
        recording = Recording(machine)
        machine.trace.subscribe(records.append)
        machine.spawn(sleeper, 3)
        machine.spawn(talker, 3, 5)
        machine.run(until=millis(10))
        queue = queues(recording)["sleeper's event socket"]
    full = [each.fields for each in records if each.name == "sock_rcvqueue_full"]
    lost = [each.time for each in records if each.name == "netlink_overrun"]
    assert len(full) == len(lost) > 0
    assert {each["sk_rcvbuf"] for each in full} == {queue["limit"]} == {2304}
    assert {each["rmem_alloc"] for each in full} == {queue["points"][-1][1]}
    assert full[0]["rmem_alloc"] + full[0]["truesize"] > 2304
    assert queue["lost"] == lost
    texts = [hop[3] for flow in recording.as_dict()["flows"] for hop in flow["hops"]]
    assert "the message to sleeper's event socket is lost" in texts


def test_the_points_of_a_queue_have_the_times_of_their_records_and_a_queue_that_overflows_comes_first() -> (
    None
):
    records: list[Record] = []
    with Machine() as machine:
        recording = Recording(machine)
        machine.trace.subscribe(records.append)
        machine.spawn(sleeper, 3)
        machine.spawn(talker, 3, MAX_POINTS + 10)
        machine.plug(Camera())
        machine.run(until=millis(900))
        drawn = recording.as_dict()["queues"]
    assert len(drawn) > 1
    queue, *others = drawn
    taps = [
        each.time for each in records if each.name == "netlink_deliver_tap" and each.fields["dst_group"] == 3
    ]
    assert [time for time, _ in queue["points"]] == taps
    lost = [each.time for each in records if each.name == "netlink_overrun"]
    assert len(lost) > MAX_POINTS >= len(queue["lost"]) > MAX_POINTS / 4
    assert set(queue["lost"]) <= set(lost)
    assert all(each["lost"] == [] for each in others)


async def monitor(app: Any) -> None:
    events = await app.uevents()
    await app.sleep(0.02)
    await anext(events)


def test_an_event_that_no_tap_records_fills_its_queue() -> None:
    with Machine() as machine:
        recording = Recording(machine)
        machine.spawn(monitor)
        machine.run(until=millis(2))
        machine.plug(Camera())
        machine.run(until=millis(10))
        assert max(level for _, level in queues(recording)["monitor's event socket"]["points"]) > 0


async def worker(app: Any) -> None:
    await app.sleep(0.001)
    await app.compute(millis(5))
    await app.sleep(0.001)


@pytest.mark.parametrize("cpus", [None, 1])
def test_a_task_is_busy_while_it_computes_and_not_while_it_sleeps(cpus: int | None) -> None:
    with Machine(cpus=cpus) as machine:
        recording = Recording(machine)
        for _ in range(2):
            machine.spawn(worker)
        machine.run(until=millis(30))
        spans = list(rows(recording).values())
    busy = [sum(end - begin for begin, end in each) for each in spans]
    assert len(busy) == 2
    assert all(millis(5) <= each < millis(5.1) for each in busy)
    if cpus:  # one at a time
        ordered = sorted(span for each in spans for span in each)
        assert all(one[1] <= two[0] for one, two in pairwise(ordered))


def test_a_task_that_is_killed_in_a_call_is_not_busy_until_the_end() -> None:
    with Machine() as machine:
        recording = Recording(machine)
        process = machine.spawn(sleeper, 3)
        machine.run(until=millis(2))
        process.kill(9)
        machine.run(until=millis(20))
        assert max(end for each in rows(recording).values() for _, end in each) < millis(2.1)


def test_a_camera_has_a_row_for_its_exposure_its_interrupts_and_its_viewer() -> None:
    async def viewer(app: Any) -> None:
        camera = await app.genetlink("camera")
        await camera.join("frames")
        await camera.do("stream-on")
        async for frame in camera.events("frame-ready"):
            await camera.dump("read-frame", sequence=frame["sequence"])

    with Machine(seed=7) as machine:
        recording = Recording(machine)
        machine.plug(Camera())
        machine.run(until=millis(5))
        machine.spawn(viewer)
        machine.run(until=millis(300))
        drawn = recording.as_dict()
    layers = {each["name"]: each["layer"] for each in drawn["rows"]}
    assert layers["camera0"] == HARDWARE
    assert layers["interrupt handler camera"] == DRIVER
    assert layers["viewer"] == APPLICATION
    path = next(each["hops"] for each in drawn["flows"] if each["flow"] == drawn["typical"])
    assert path[0][2] == "sensor"
    assert {layer for _, layer, *_ in path} == {APPLICATION, KERNEL, DRIVER, HARDWARE}
    assert json.loads(json.dumps(drawn)) == drawn
    for follow in ([], [drawn["typical"]], [drawn["typical"], 123456]):
        assert [each["flow"] for each in recording.as_dict(follow)["flows"]] == [drawn["typical"]]


async def closer(app: Any) -> None:
    sock = await app.socket(AF_NETLINK, SOCK_RAW, NETLINK_USERSOCK)
    await sock.bind((77, 0))
    await sock.sendto(bytes(100), (77, 0))
    await app.sleep(0.002)
    await sock.close()
    await app.sleep(1)


@pytest.mark.parametrize("killed", [True, False])
def test_a_closed_socket_holds_no_message(killed: bool) -> None:
    with Machine() as machine:
        recording = Recording(machine)
        process = machine.spawn(closer)
        machine.run(until=millis(1))
        assert recording.as_dict()["queues"][0]["points"][-1][1] > 0
        if killed:
            process.kill(9)
        machine.run(until=millis(10))
        time, level = recording.as_dict()["queues"][0]["points"][-1]
    assert level == 0
    assert time < millis(1.1 if killed else 2.5)


@pytest.mark.parametrize("name", sorted({*SPANS, *PORT, "sched_switch", "sched_wakeup", "netlink_broadcast"}))
def test_a_record_of_that_name_with_other_fields_is_left_out(name: str) -> None:
    with Machine() as machine:
        recording = Recording(machine)
        recording(Record(1, name, KERNEL, "track", 1, {"surprise": 1}))
        drawn = recording.as_dict()
    assert drawn["queues"] == []
    assert {each["name"] for each in drawn["rows"]} <= {"track"}


def test_ordinary_code_has_no_row() -> None:
    with Machine() as machine:
        recording = Recording(machine)
        machine.spawn(worker)
        machine.blocking().socket(AF_NETLINK, SOCK_RAW, NETLINK_USERSOCK)
        machine.run(until=millis(30))
        assert set(rows(recording)) == {"worker"}


def many(count: int) -> Iterator[Record]:
    for number in range(count):
        name = {"call": "getpid", "comm": f"p{number % 40}", "pid": number % 40}
        yield Record(number * 10, "sys_enter", APPLICATION, "t", number % 200, {**name, "arguments": ()})
        yield Record(number * 10 + 3, "sys_exit", APPLICATION, "t", number % 200, {**name, "entered": 0})
        yield Record(number * 10 + 3, "report", HARDWARE, "mouse0", number % 200, {})


def test_a_long_run_is_within_the_limits_and_says_how_much_is_left_out() -> None:
    with Machine() as machine:
        recording = Recording(machine)
        for each in many(3 * MAX_POINTS):
            recording(each)
        drawn = recording.as_dict()
    assert len(drawn["rows"]) == MAX_ROWS
    assert len(drawn["flows"]) == MAX_FLOWS
    assert len(drawn["queues"]) <= MAX_QUEUES
    assert drawn["left_out"]["rows"] == 41 - MAX_ROWS
    assert drawn["left_out"]["flows"] > 0
    mouse = drawn["rows"][-1]["spans"]
    assert 1000 < len(mouse) <= MAX_POINTS
    assert mouse[-1][1] == 3 * MAX_POINTS * 10 - 7
