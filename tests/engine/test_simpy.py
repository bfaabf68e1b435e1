"""The engine is a simpy environment: programs see the same order of events as in `simpy.Environment`."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import simpy
from hypothesis import given
from hypothesis import strategies as st

from simkernel.engine import Engine

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("timeout"), st.integers(0, 4)),
        st.tuples(st.just("wait"), st.integers(0, 2)),
        st.tuples(st.just("succeed"), st.integers(0, 2)),
        st.tuples(st.just("spawn"), st.integers(0, 4)),
    ),
    max_size=8,
)


def history(env: simpy.Environment, programs: list[list[tuple[str, int]]]) -> list[tuple[float, int, int]]:
    """Return (time, program, step) of each step in order."""
    seen: list[tuple[float, int, int]] = []
    events = [env.event() for _ in range(3)]

    def short(number: int, delay: int) -> Generator[Any, Any, None]:
        yield env.timeout(delay)
        seen.append((env.now, number, -1))

    def program(number: int, steps: list[tuple[str, int]]) -> Generator[Any, Any, None]:
        for index, (what, value) in enumerate(steps):
            seen.append((env.now, number, index))
            if what == "timeout":
                yield env.timeout(value)
            elif what == "wait":
                yield events[value] | env.timeout(3)
            elif what == "spawn":
                yield env.process(short(number, value))
            elif not events[value].triggered:
                events[value].succeed()

    for number, steps in enumerate(programs):
        env.process(program(number, steps))
    env.run()
    return seen


@given(st.lists(STEPS, max_size=5))
def test_the_order_of_events_is_that_of_simpy(programs: list[list[tuple[str, int]]]) -> None:
    assert history(Engine(), programs) == history(simpy.Environment(), programs)


def test_timers_and_simpy_events_share_one_queue() -> None:
    engine = Engine()
    seen = []

    def program() -> Generator[Any, Any, None]:
        for _ in range(3):
            yield engine.timeout(2)
            seen.append(("simpy", engine.now))

    engine.process(program())
    for time in (1, 2, 4):
        engine.call_at(time, lambda: seen.append(("timer", engine.now)))
    engine.run()
    assert seen == [("timer", 1), ("timer", 2), ("simpy", 2), ("timer", 4), ("simpy", 4), ("simpy", 6)]


@given(st.lists(st.tuples(st.sampled_from(["task", "timer", "simpy"]), st.integers(0, 5)), max_size=30))
def test_scheduled_events_happen_in_order(entries: list[tuple[str, int]]) -> None:
    engine = Engine()
    seen: list[tuple[int, int]] = []

    def happens(number: int, *_: object) -> None:
        seen.append((engine.now, number))

    for number, (kind, time) in enumerate(entries):
        if kind == "task":
            engine.resume_at(time, happens, number, None, None)
        elif kind == "timer":
            engine.call_at(time, happens, number)
        else:
            engine.timeout(time).callbacks.append(lambda _, number=number: happens(number))
    expected = sorted((time, number) for number, (_, time) in enumerate(entries))
    assert engine.peek() == (expected[0][0] if expected else float("inf"))
    engine.run(until=3)
    assert seen == [each for each in expected if each[0] < 3]
    while engine.next_time() is not None:
        engine.step()
    assert seen == expected
