"""Random variation of time costs (`jitter=True`): each cost is multiplied by a random factor. The seed
selects the factors. Their quantiles are set in the cost model. Without `jitter`, costs do not vary.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simkernel import App, Machine, micros
from simkernel.engine.jitter import HOLD, LEVELS, factor
from simkernel.explore.plan import Plan
from simkernel.explore.schedule import Schedule
from simkernel.kernel.lib.costs import FREE, CostModel

QUANTILES = CostModel().spread
CALLS = 3000
SYSCALL = CostModel().syscall


def times(**options: Any) -> list[int]:
    """Return the durations of CALLS system calls. The program computes for HOLD ns before each call."""
    taken: list[int] = []

    async def program(app: App) -> None:
        for _ in range(CALLS):
            await app.compute(HOLD)
            begun = app.monotonic_ns()
            await app.getppid()
            taken.append(app.monotonic_ns() - begun)

    with Machine(udev=False, **options) as machine:
        machine.spawn(program)
        machine.run()
    return taken


def ping_pong(**options: Any) -> tuple[int, list[int]]:
    """Run two programs that exchange a byte over pipes 20 times. Return the simulated time at the end of the
    run, and a list of the times after each exchange.
    """
    turns: list[int] = []

    async def echo(app: App, reader: int, writer: int) -> None:
        while data := await app.read(reader, 1):
            await app.write(writer, data)

    async def program(app: App) -> None:
        there, back = await app.pipe(), await app.pipe()
        await app.spawn(echo, there[0], back[1])
        for _ in range(20):
            await app.write(there[1], b"x")
            await app.read(back[0], 1)
            turns.append(app.monotonic_ns())
        await app.close(there[1])

    with Machine(udev=False, **options) as machine:
        machine.spawn(program)
        machine.run(until=micros(10_000))
        return machine.now, turns


@pytest.mark.parametrize("cpus", [None, 1, 2])
def test_without_jitter_each_call_takes_its_price(cpus: int | None) -> None:
    assert set(times(cpus=cpus)) == {SYSCALL}
    assert ping_pong(cpus=cpus, seed=1) == ping_pong(cpus=cpus, seed=2)


def test_quantiles_of_calls_are_those_of_the_costs() -> None:
    taken = sorted(times(jitter=True, seed=3))
    for level, thousandths in zip(LEVELS, QUANTILES, strict=True):
        assert taken[int(level * CALLS)] == pytest.approx(SYSCALL * thousandths / 1000, rel=0.05)


@pytest.mark.parametrize("cpus", [None, 1, 2])
def test_one_seed_gives_one_run_and_another_seed_another(cpus: int | None) -> None:
    one, again, other = (ping_pong(jitter=True, cpus=cpus, seed=seed) for seed in (1, 1, 2))
    assert one == again
    assert one != other


def test_switches_vary_too() -> None:
    """Even if only context switches have costs, the times of wake-ups vary."""
    costs = attrs.evolve(FREE, switch=100_000)
    _, turns = ping_pong(jitter=True, costs=costs)
    assert len({after - before for before, after in pairwise(turns)}) > 10


def test_user_mode_and_busy_waits_never_vary() -> None:
    taken: list[int] = []

    async def program(app: App) -> None:
        for _ in range(20):
            begun = app.monotonic_ns()
            await app.compute(50_000)
            taken.append(app.monotonic_ns() - begun)

    with Machine(udev=False, jitter=True) as machine:
        machine.spawn(program)
        machine.run()
    assert set(taken) == {50_000}


def test_other_random_streams_stay() -> None:
    plain, varied = (Machine(seed=5, udev=False, jitter=jitter) for jitter in (False, True))
    with plain, varied:
        for machine in (plain, varied):
            machine.spawn(_calls)
            machine.run()
        assert plain.random("camera").random() == varied.random("camera").random()


@pytest.mark.parametrize("cpus", [None, 1])
def test_empty_plan_leaves_the_varied_run_as_it_is(cpus: int | None) -> None:
    plain, planned = (
        ping_pong(jitter=True, seed=4, cpus=cpus, perturbation=perturbation)
        for perturbation in (None, Schedule(Plan(4)))
    )
    assert plain == planned


async def _calls(app: App) -> None:
    for _ in range(100):
        await app.getppid()


@given(st.floats(0, 1, exclude_max=True), st.floats(0, 1, exclude_max=True))
@settings(deadline=None)
def test_factor_rises_with_its_level(low: float, high: float) -> None:
    low, high = sorted((low, high))
    assert 1 <= factor(low, QUANTILES) <= factor(high, QUANTILES)


def test_factor_is_the_quantile_at_each_level() -> None:
    assert [factor(level, QUANTILES) for level in LEVELS] == [each / 1000 for each in QUANTILES]
