"""Transcripts: the events of a machine as readable lines."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from simkernel import Machine, SimulationError, millis
from simkernel.hardware import Camera
from simkernel.scenario import Transcript, Watch
from simkernel.uapi.signal import SIGTERM

WIDTH = 78


@pytest.fixture
def machine() -> Iterator[Machine]:
    with Machine(udev=False) as machine:
        yield machine


async def loader(app: Any) -> None:
    await app.modprobe("camera")


async def sleeper(app: Any, seconds: float) -> None:
    await app.sleep(seconds)


async def tuner(app: Any, gain: int) -> None:
    camera = await app.genetlink("camera")
    await camera.do("set-control", control="gain", value=gain)


def seen(machine: Machine, transcript: Transcript, *points: str, program: Any, arguments: Any = ()) -> Watch:
    with transcript.watch(*points) as watch:
        machine.spawn(program, *arguments)
        machine.run()
    return watch


def test_a_call_is_a_line(machine: Machine) -> None:
    watch = seen(machine, Transcript(machine), program=sleeper, arguments=(0.001,))
    (line,) = watch.text().splitlines()[:1]
    time, who, rest = line.split(maxsplit=2)
    assert float(time) == 0
    assert float(watch.text(watch.lines[0].time - 1234).split()[0]) == 1.234
    assert who.startswith("sleeper/")
    assert rest.startswith("clock_nanosleep(CLOCK_MONOTONIC, 0, {tv_sec=0,")


def test_a_tracepoint_cuts_the_call_that_it_happens_in(machine: Machine) -> None:
    machine.plug(Camera())
    transcript = Transcript(machine, hidden=("loader",))
    machine.spawn(loader)
    machine.run()
    watch = seen(machine, transcript, "rwmmio_write", program=tuner, arguments=(40,))
    texts = [(each.layer, each.text) for each in watch.lines]
    at = texts.index(("hardware", "rwmmio_write: GAIN width=32 val=0x28"))
    assert texts[at - 1][1].endswith("<unfinished ...>")
    assert texts[at + 1][1].startswith("<... sendto resumed>)")
    assert "nlmsg_type=camera, ...}, {cmd=CAMERA_CMD_SET_CONTROL" in texts[at - 1][1]
    columns = [line.index("rwmmio") for line in watch.text().splitlines() if "rwmmio" in line]
    assert columns == [29]


def test_hidden_programs_are_not_shown_and_count_all_the_same(machine: Machine) -> None:
    transcript = Transcript(machine, hidden=("loader",))
    watch = seen(machine, transcript, "module_load", program=loader)
    assert [each.track for each in watch.lines] == ["module"] * len(watch.lines)
    assert len(watch.named("module_load")) == len(watch.lines) == 3
    assert watch.named("sys_enter", comm="loader")
    assert watch.named("sys_enter", comm="loader", call="nothing") == []


def test_a_call_that_began_before_is_resumed(machine: Machine) -> None:
    transcript = Transcript(machine)
    machine.spawn(sleeper, 0.002)
    machine.run(until=millis(1))
    with transcript.watch() as watch:
        machine.run()
    assert [each.text.split(")")[0] for each in watch.lines] == ["<... clock_nanosleep resumed>"]


def test_a_call_that_has_not_ended_is_unfinished(machine: Machine) -> None:
    with Transcript(machine).watch() as watch:
        machine.spawn(sleeper, 1)
        machine.run(until=millis(1))
    (line,) = watch.lines
    assert line.text.endswith(" <unfinished ...>")


def test_two_that_run_at_once_stand_in_the_order_of_time(machine: Machine) -> None:
    async def busy(app: Any) -> None:
        for _ in range(20):
            await app.sched_yield()
            await app.sleep(1e-6)

    with Transcript(machine).watch() as watch:
        for _ in range(3):
            machine.spawn(busy)
        machine.run()
    times = [each.time for each in watch.records]
    assert times == sorted(times)
    assert len([each for each in watch.lines if "sched_yield" in each.text]) >= 60


def test_lines_fit_and_repetitions_are_folded(machine: Machine) -> None:
    machine.plug(Camera())
    transcript = Transcript(machine)
    machine.spawn(loader)
    machine.run()

    async def viewer(app: Any) -> None:
        camera = await app.genetlink("camera")
        await camera.do("stream-on")
        await camera.do("stream-off")

    watch = seen(machine, transcript, "rwmmio_read", program=viewer)
    lines = watch.text().splitlines()
    assert all(len(line) <= WIDTH for line in lines)
    (folded,) = [line for line in lines if "STATUS width=32 val=0x0" in line]
    assert folded.endswith(" times)")
    assert len(watch.named("rwmmio_read", register="STATUS")) > 20


def test_seen_records_stay(machine: Machine) -> None:
    transcript = Transcript(machine)
    watch = seen(machine, transcript, program=sleeper, arguments=(0.001,))
    before = watch.text()
    machine.spawn(sleeper, 0.001)
    machine.run()
    assert before and watch.text() == before


def test_one_watch_at_a_time(machine: Machine) -> None:
    transcript = Transcript(machine)
    with transcript.watch(), pytest.raises(SimulationError, match=r"one watch\(\) at a time"):
        transcript.watch().__enter__()
    with transcript.watch() as after:
        machine.spawn(sleeper, 0.001)
        machine.run()
    assert after.lines


def test_signals_of_hidden_programs_are_hidden(machine: Machine) -> None:
    for hidden, shown in (((), 1), (("sleeper",), 0)):
        with Transcript(machine, hidden).watch() as watch:
            process = machine.spawn(sleeper, 1)
            machine.run(until=machine.now + millis(1))
            process.kill(SIGTERM)
            machine.run()
        assert sum(each.text.startswith("--- SIGTERM") for each in watch.lines) == shown
