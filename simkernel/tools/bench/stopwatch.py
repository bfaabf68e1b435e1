"""Timing of several subjects alternately, so that a disturbance of the host affects all of them.

The measured time is the CPU time of this process, in user mode and in the kernel, if the operating system
has a clock for it with a resolution of a microsecond.  The subjects do not wait, so it equals the wall
time on an idle host. Otherwise the measured time is the wall time.
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
"""Coarsest acceptable resolution of the CPU clock in seconds."""

cpu_time: Final = process_time if get_clock_info("process_time").resolution <= EXACT else perf_counter


@attrs.frozen
class Work:
    """An operation that the benchmark measures. Each run repeats it for a given number of iterations.

    run             does about the given number of iterations, and returns the actual number, or None if exact
    cleanup         called after each run, outside of the measured time
    max_iterations  maximum number of iterations in one run
    clock           returns a time in seconds
    """

    run: Callable[[int], int | None]
    cleanup: Callable[[], object] = lambda: None
    max_iterations: int = 1 << 32
    clock: Callable[[], float] = cpu_time


Subject: TypeAlias = Callable[[], AbstractContextManager[Work]]
"""A function that returns a context manager. The context manager prepares the work that is measured."""


@attrs.frozen
class Effort:
    """The amount of work that the benchmark spends on one figure.

    slice      duration of one run in seconds
    seconds    wall time for each subject in seconds
    rounds     minimum number of rounds
    sockets    numbers of idle sockets for the curve, in ascending order
    processes  numbers of active processes for the curve, in ascending order
    idle       number of sockets to measure memory
    waiting    number of processes to measure memory
    machines   number of machines to make before one is compared with the second; None to skip this
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
    """Run the subjects alternately. Return one list for each subject: the seconds per iteration in each of
    its runs.

    Every subject runs once in a round, and every other round runs in reverse order.  The minimum time is
    used, because that run was disturbed the least.
    """
    with ExitStack() as stack:
        works = [stack.enter_context(subject()) for subject in subjects]
        iterations = [iterations_for(work, effort.slice) for work in works]
        seconds: list[list[float]] = [[] for _ in works]
        turns = list(range(len(works)))
        gc.collect()
        end = perf_counter() + effort.seconds * len(works)
        while len(seconds[0]) < effort.rounds or perf_counter() < end:
            for turn in turns:
                elapsed, count = timed(works[turn], iterations[turn])
                seconds[turn].append(elapsed / count)
            turns.reverse()
    return seconds


def spread(times: Sequence[float], anchors: Sequence[float]) -> float:
    """In each round, divide the subject's time by the anchor's time. Return the interquartile range of these
    ratios as a fraction of their median.
    """
    return fluctuation([time / anchor for time, anchor in zip(times, anchors, strict=True)])


def fluctuation(values: Sequence[float]) -> float:
    """Return the interquartile range of some values, as a fraction of the median."""
    if len(values) < 2:
        return 0.0
    low, middle, high = quantiles(values, n=4, method="inclusive")
    return (high - low) / middle if middle else 0.0


def iterations_for(work: Work, slice: float) -> int:
    """Return the number of iterations with which one run takes about `slice` seconds."""
    iterations = 1
    while True:
        elapsed, _ = timed(work, iterations)
        if elapsed >= slice or iterations >= work.max_iterations:
            return iterations
        growth = slice / elapsed if elapsed > 0 else 10.0
        iterations = min(work.max_iterations, max(iterations + 1, int(iterations * min(growth, 10.0))))


def timed(work: Work, iterations: int) -> tuple[float, int]:
    """Run the work once. Return the seconds that it took, and the number of iterations that it made."""
    began = work.clock()
    count = work.run(iterations)
    elapsed = work.clock() - began
    work.cleanup()
    return elapsed, iterations if count is None else count
