"""Tests of the benchmark's stopwatch: how many iterations it runs, in which order it measures the subjects,
and which time it counts. The tests replace the clock.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import attrs
import pytest

from simkernel.tools.bench import Effort, Measurement, Quantity, stopwatch
from simkernel.tools.bench.measures import over, rate_over
from simkernel.tools.bench.quantity import Better
from simkernel.tools.bench.stopwatch import Subject, Work, iterations_for, side_by_side


class Clock:
    """A wall clock in seconds, and a list of the work done."""

    def __init__(self) -> None:
        self.now = 0.0
        self.done: list[tuple[str, int]] = []

    def read(self) -> float:
        return self.now

    def work(self, name: str, each: float, most: int = 1000) -> Work:
        """Return a `Work` that the stopwatch measures. An iteration takes `each` seconds of the clock, and
        the cleanup takes one second.
        """

        def run(iterations: int) -> int:
            self.now += each * iterations
            self.done.append((name, iterations))
            return iterations

        def cleanup() -> None:
            self.now += 1.0
            self.done.append((f"cleanup {name}", 0))

        return Work(run, cleanup, most, self.read)

    def subject(self, name: str, each: float) -> Subject:
        @contextmanager
        def subject() -> Iterator[Work]:
            self.done.append((f"make {name}", 0))
            yield self.work(name, each)
            self.done.append((f"drop {name}", 0))

        return subject


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(stopwatch, "perf_counter", clock.read)
    return clock


def test_a_run_is_as_long_as_a_slice(clock: Clock) -> None:
    assert 50 <= iterations_for(clock.work("a", 0.001), 0.05) <= 100


def test_a_run_is_never_more_than_can_be_done(clock: Clock) -> None:
    assert iterations_for(clock.work("a", 0.001, most=7), 0.05) == 7
    assert max(iterations for _, iterations in clock.done) == 7


def test_time_for_tidying_is_not_counted(clock: Clock, tiny: Effort) -> None:
    (times,) = side_by_side(tiny, clock.subject("a", 0.25))
    assert times == [0.25, 0.25]


def test_subjects_take_turns_and_every_other_round_is_backwards(clock: Clock, tiny: Effort) -> None:
    side_by_side(tiny, clock.subject("a", 1.0), clock.subject("b", 1.0))
    steps = [name for name, _ in clock.done if not name.startswith("cleanup")]
    assert steps == ["make a", "make b", "a", "b", "a", "b", "b", "a", "drop b", "drop a"]


def test_rounds_go_on_while_there_is_time(clock: Clock, tiny: Effort) -> None:
    effort = attrs.evolve(tiny, seconds=10.0)
    one, other = side_by_side(effort, clock.subject("a", 1.0), clock.subject("b", 2.0))
    assert len(one) == len(other) == 4


def test_a_time_is_divided_by_its_anchor(clock: Clock, tiny: Effort) -> None:
    measure = over(clock.subject("anchor", 0.5), scale=1.0, anchor_scale=2.0)
    assert measure(clock.subject("a", 3.0), tiny) == Measurement(3.0, 1.0, 0.0)


def test_a_rate_is_divided_by_its_anchor(clock: Clock, tiny: Effort) -> None:
    measure = rate_over(clock.subject("anchor", 0.5))
    assert measure(clock.subject("a", 0.25), tiny).ratio == 2.0


@pytest.mark.parametrize(
    ("better", "ratio", "verdict"),
    [
        ("lower", 1.0, "aim"),
        ("lower", 2.0, "holds"),
        ("lower", 2.1, "misses"),
        ("higher", 2.0, "aim"),
        ("higher", 1.0, "holds"),
        ("higher", 0.9, "misses"),
    ],
)
def test_the_verdict(better: Better, ratio: float, verdict: str, clock: Clock, tiny: Effort) -> None:
    bounds = (2.0, 1.0) if better == "lower" else (1.0, 2.0)
    result = Measurement(ratio, 1.0, 0.0)
    quantity = Quantity(1, "a", "a", "s", "s", clock.subject("a", 1), lambda *_: result, *bounds, better)
    line = quantity.measured(tiny)
    assert line.verdict == verdict
    assert line.as_json()["ratio"] == ratio
