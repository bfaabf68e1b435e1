"""Series of searches for a planted bug: the number of runs up to the first failure, and their CPU time."""

from __future__ import annotations

from math import inf
from statistics import median
from time import process_time
from typing import Final

import attrs

from simkernel.explore.explorer import Explorer, Found
from simkernel.explore.run import Outcome
from simkernel.explore.shrink import shrink
from tests.planted.bug import Bug

SEEDS: Final = 500
SERIES: Final = 5
APART: Final = 1000
"""Difference between the first seeds of two successive searches in a series."""


@attrs.frozen
class Result:
    """Result of a search: the number of runs up to the first failure, their CPU time in seconds, and the
    failing run.
    """

    runs: float = inf
    seconds: float = inf
    outcome: Outcome | None = None


@attrs.frozen
class Series:
    """Results of several searches for one bug."""

    results: tuple[Result, ...]

    @property
    def runs(self) -> float:
        """Median of the number of runs that a search needs to find the bug, or infinity if most searches
        found no failure.
        """
        return median(each.runs for each in self.results)

    @property
    def seconds(self) -> float:
        """Median CPU time of a search in seconds, or infinity if most searches found no failure."""
        return median(each.seconds for each in self.results)


class Finder(Explorer):
    """An explorer that returns a failure without shrinking its plan."""

    def found(self, outcome: Outcome) -> Found:
        """Return the failure without shrinking it."""
        return Found(self.runs, outcome, outcome, 0)


def search(bug: Bug, strategy: str, seeds: range) -> Result:
    """Search for a bug with some seeds and a strategy."""
    start = process_time()
    found = Finder(bug.target(sound=False)).seeds(seeds, strategy)
    seconds = process_time() - start
    return Result(found.number, seconds, found.outcome) if isinstance(found, Found) else Result()


def series(bug: Bug, strategy: str, seeds: int = SEEDS, count: int = SERIES) -> Series:
    """Search `count` times, each time with different seeds."""
    starts = range(0, count * APART, APART)
    return Series(tuple(search(bug, strategy, range(start, start + seeds)) for start in starts))


def minimal_plan(bug: Bug, found: Series) -> str:
    """Shrink the plans of all failures in a series. Return the smallest plan, or "" if no search found a
    failure.
    """
    failures = [each.outcome for each in found.results if each.outcome is not None]
    plans = [shrink(bug.target(sound=False), each, {})[0].plan for each in failures]
    return str(min(plans, key=lambda plan: (len(plan), str(plan)))) if plans else ""
