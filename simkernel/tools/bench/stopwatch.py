"""Timing things side by side: in turns, so that what disturbs one disturbs the other.

What counts is the time that this process had a CPU, in user mode and in the kernel, where the system
tells that to the microsecond: nothing here waits, so it is the wall time of a machine that has nothing
else to do.  Elsewhere it is the wall time.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from statistics import quantiles
from time import get_clock_info, perf_counter, process_time
from typing import Final, TypeAlias

import attrs

EXACT: Final = 1e-6
"""Seconds; a clock that is coarser will not do."""

cpu_time: Final = process_time if get_clock_info("process_time").resolution <= EXACT else perf_counter


@attrs.frozen
class Work:
    """Something that can be done often.

    run    does it about as often as it is told to, and returns how often it did (None: exactly so often)
    tidy   is called after each run, and is not timed
    most   how often it can be done in one run
    clock  seconds
    """

    run: Callable[[int], int | None]
    tidy: Callable[[], object] = lambda: None
    most: int = 1 << 32
    clock: Callable[[], float] = cpu_time


Subject: TypeAlias = Callable[[], AbstractContextManager[Work]]
"""What is measured: it makes what it needs, and for as long as that is there it can be done."""


@attrs.frozen
class Effort:
    """How much is done for a figure.

    slice      seconds of one run
    seconds    wall seconds for each subject
    rounds     how many runs there are at least
    sockets    numbers of idle sockets for the curve, least first
    processes  numbers of active processes for the curve, least first
    idle       how many sockets memory is taken of
    waiting    how many processes memory is taken of
    machines   how many are made before one is compared with the second; None to leave that out
    """

    slice: float
    seconds: float
    rounds: int
    sockets: tuple[int, ...]
    processes: tuple[int, ...]
    idle: int
    waiting: int
    machines: int | None


FULL: Final = Effort(
    slice=0.004,
    seconds=2.5,
    rounds=7,
    sockets=(10, 100, 1000, 10_000, 100_000),
    processes=(10, 100, 1000, 10_000),
    idle=100_000,
    waiting=10_000,
    machines=10_000,
)
QUICK: Final = attrs.evolve(
    FULL,
    seconds=0.25,
    rounds=3,
    sockets=(10, 1000, 100_000),
    processes=(10, 10_000),
    idle=10_000,
    waiting=1000,
    machines=None,
)


def side_by_side(effort: Effort, *subjects: Subject) -> list[list[float]]:
    """Return the seconds that each subject takes to do its work once, from each of its runs.

    Every subject has one run in a round, and every other round is backwards.  The least time counts: nothing
    disturbed that run.
    """
    with ExitStack() as stack:
        works = [stack.enter_context(subject()) for subject in subjects]
        often = [how_often(work, effort.slice) for work in works]
        seconds: list[list[float]] = [[] for _ in works]
        turns = list(range(len(works)))
        gc.collect()
        end = perf_counter() + effort.seconds * len(works)
        while len(seconds[0]) < effort.rounds or perf_counter() < end:
            for turn in turns:
                elapsed, count = timed(works[turn], often[turn])
                seconds[turn].append(elapsed / count)
            turns.reverse()
    return seconds


def spread(times: Sequence[float], anchors: Sequence[float]) -> float:
    """How far the rounds disagree: the middle half of their ratios, as a fraction of the median one."""
    return fluctuation([time / anchor for time, anchor in zip(times, anchors, strict=True)])


def fluctuation(values: Sequence[float]) -> float:
    """The width of the middle half of some values, as a fraction of the median."""
    if len(values) < 2:
        return 0.0
    low, middle, high = quantiles(values, n=4, method="inclusive")
    return (high - low) / middle if middle else 0.0


def how_often(work: Work, slice: float) -> int:
    """How often it is to be done in one run, to take `slice` seconds."""
    often = 1
    while True:
        elapsed, _ = timed(work, often)
        if elapsed >= slice or often >= work.most:
            return often
        growth = slice / elapsed if elapsed > 0 else 10.0
        often = min(work.most, max(often + 1, int(often * min(growth, 10.0))))


def timed(work: Work, often: int) -> tuple[float, int]:
    """The seconds of one run, and how often it was done."""
    began = work.clock()
    count = work.run(often)
    elapsed = work.clock() - began
    work.tidy()
    return elapsed, often if count is None else count
