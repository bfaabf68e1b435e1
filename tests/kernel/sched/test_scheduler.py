"""CPUs: the order of tasks if the machine has fewer CPUs than tasks."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simkernel import Machine, millis, seconds
from simkernel.kernel.lib.costs import FREE, CostModel
from simkernel.kernel.sched.scheduler import SLICE


def finish_times(cpus: int | None, work: list[int], costs: Any = FREE) -> list[int]:
    """For each value in `work`, start a program that computes for this number of ns. Return the end time of
    each program.
    """
    done = {}

    async def program(app: Any, number: int, ns: int) -> None:
        await app.compute(ns)
        done[number] = app.monotonic_ns()

    with Machine(udev=False, cpus=cpus, costs=costs) as machine:
        for number, ns in enumerate(work):
            machine.spawn(program, number, ns)
        machine.run(until=seconds(1000))
    return [done[number] for number in range(len(work))]


def test_no_task_waits_with_unlimited_cpus() -> None:
    assert finish_times(None, [millis(10)] * 3) == [millis(10)] * 3


def test_one_cpu_is_shared_in_slices() -> None:
    first, second = finish_times(1, [millis(8), millis(8)])
    # after 12 ms each program has had two slices of 3 ms; the first program ends 2 ms later
    assert first == millis(14)
    assert second == millis(16)


def test_another_task_on_a_cpu_costs_a_switch() -> None:
    switch = CostModel().switch
    once = finish_times(1, [millis(5)], CostModel())[0]
    first, second = finish_times(1, [millis(5)] * 2, CostModel())
    alone = finish_times(1, [millis(5)] * 2, attrs.evolve(CostModel(), switch=0))[1]
    assert first - once == SLICE + 2 * switch  # meanwhile the other program ran for one slice
    assert second - alone == 4 * switch


def test_a_task_that_needs_less_than_a_slice_is_not_preempted() -> None:
    assert finish_times(1, [millis(2), millis(2)]) == [millis(2), millis(4)]


@given(
    cpus=st.integers(1, 4),
    work=st.lists(st.integers(1, 4 * SLICE), min_size=1, max_size=8),
)
def test_work_is_conserved(cpus: int, work: list[int]) -> None:
    """No CPU idles while a task waits, and no CPU runs two tasks at once."""
    finished = finish_times(cpus, work)
    assert max(finished) >= -(-sum(work) // cpus)
    assert max(finished) <= sum(work)
    assert all(end >= ns for end, ns in zip(finished, work, strict=True))
    if cpus >= len(work):
        assert finished == work
    if cpus == 1:
        assert max(finished) == sum(work)


@given(work=st.lists(st.integers(1, 10 * SLICE), min_size=2, max_size=6))
def test_no_task_starves(work: list[int]) -> None:
    """Round robin: while a task waits for the CPU, each other task gets at most one slice."""
    finished = finish_times(1, work)
    for end, ns in zip(finished, work, strict=True):
        slices = -(-ns // SLICE)
        assert end <= slices * SLICE * len(work) + SLICE


def test_a_sleeper_gives_its_cpu_away() -> None:
    order = []

    async def sleeper(app: Any) -> None:
        await app.sleep(1)
        order.append(("sleeper", app.monotonic_ns()))

    async def worker(app: Any) -> None:
        await app.compute(millis(500))
        order.append(("worker", app.monotonic_ns()))

    with Machine(udev=False, cpus=1, costs=FREE) as machine:
        machine.spawn(sleeper)
        machine.spawn(worker)
        machine.run(until=seconds(2))
    assert order == [("worker", millis(500)), ("sleeper", seconds(1))]


@pytest.mark.parametrize("cpus", [None, 1, 2])
def test_sched_yield_runs_the_other_tasks(cpus: int | None) -> None:
    order = []

    async def program(app: Any, name: str) -> None:
        for _ in range(3):
            order.append(name)
            await app.sched_yield()

    with Machine(udev=False, cpus=cpus) as machine:
        machine.spawn(program, "a")
        machine.spawn(program, "b")
        machine.run(until=seconds(1))
    assert order == ["a", "b"] * 3


def test_a_killed_task_frees_its_cpu() -> None:
    done = []

    async def hog(app: Any) -> None:
        await app.compute(seconds(100))

    async def other(app: Any) -> None:
        await app.compute(millis(1))
        done.append(True)

    with Machine(udev=False, cpus=1) as machine:
        process = machine.spawn(hog)
        machine.run(until=millis(10))
        process.kill(9)
        machine.spawn(other)
        machine.run(until=seconds(1))
        assert not process.alive
    assert done == [True]


@given(
    interrupts=st.lists(st.tuples(st.integers(0, millis(2)), st.integers(1, 5000)), max_size=6),
    cpus=st.integers(1, 2),
)
def test_interrupts_take_their_time_from_the_task_on_the_first_cpu(
    interrupts: list[tuple[int, int]], cpus: int
) -> None:
    done = []

    async def program(app: Any) -> None:
        await app.compute(millis(2))
        done.append(app.monotonic_ns())

    with Machine(udev=False, cpus=cpus, costs=FREE) as machine:
        for time, ns in interrupts:
            machine.at(time, machine.kernel.scheduler.interrupt, ns)
        for _ in range(cpus):
            machine.spawn(program)
        machine.run(until=seconds(1))
    assert done[-1] == millis(2) + sum(ns for _, ns in interrupts)
    assert len(done) == cpus
    assert all(end == millis(2) for end in done[:-1])


def test_interrupts_take_no_task_s_time_with_unlimited_cpus() -> None:
    with Machine(udev=False, costs=FREE) as machine:
        machine.at(millis(1), machine.kernel.scheduler.interrupt, 5000)
        done = []

        async def program(app: Any) -> None:
            await app.compute(millis(2))
            done.append(app.monotonic_ns())

        machine.spawn(program)
        machine.run(until=seconds(1))
    assert done == [millis(2)]


def ping_pong_takes(cpus: int, busy: int) -> tuple[int, int]:
    """Return the time of a round trip between two processes in ns, and the number of context switches. `busy`
    is the number of other programs, which compute all the time.
    """
    took: list[int] = []

    async def echo(app: Any, reader: int, writer: int) -> None:
        while True:
            await app.write(writer, await app.read(reader, 1))

    async def ping(app: Any) -> None:
        there, back = await app.pipe(), await app.pipe()
        await app.spawn(echo, there[0], back[1])
        for _ in range(6):
            begun = app.monotonic_ns()
            await app.write(there[1], b"x")
            await app.read(back[0], 1)
            took.append(app.monotonic_ns() - begun)

    async def compute(app: Any) -> None:
        await app.compute(seconds(1))

    with Machine(udev=False, cpus=cpus) as machine:
        for _ in range(busy):
            machine.spawn(compute)
        machine.spawn(ping)
        machine.run(until=millis(500))
        switches = sum(cpu["switches"] for cpu in machine.statistics["cpus"])
    return took[-1], switches


def test_a_ping_pong_on_two_cpus_needs_no_switch() -> None:
    """On one CPU each message causes a switch. On two CPUs each process stays on its CPU."""
    alone, switched = ping_pong_takes(1, 0)
    beside, kept = ping_pong_takes(2, 0)
    # 2 * 6 messages; minus 1, because the start of the echo process on the second CPU is a switch
    assert switched - kept == 2 * 6 - 1
    # on two CPUs, the writer's call ends while the reader already runs
    assert alone - beside >= 2 * CostModel().switch


def test_contention_is_waiting_for_slices() -> None:
    """During a round trip, a program waits twice. Each time it waits for one slice of every computing
    process.
    """
    taken = [ping_pong_takes(1, busy)[0] for busy in range(4)]
    for busy, (less, more) in enumerate(pairwise(taken)):
        assert SLICE < more - less < 3 * SLICE, busy
