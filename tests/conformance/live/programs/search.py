"""Search for differences with random programs, and reduction of each difference to a small case.

python -m tests.conformance.live --programs --steps 300000 --seed 1 --most 5

An example with a difference is run again, with all programs at rest after every step, to exclude races on
the host. It is run twice more, because processes that are woken together run in any order. A difference
that remains is shrunk and printed as a case.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from functools import partial
from random import Random
from typing import Final

import attrs

from tests.conformance.live.coverage import Reached
from tests.conformance.live.programs.generator import Generator
from tests.conformance.live.programs.sides import RealSide, Rest, SimulatedSide, is_unmodelled, run_simulated
from tests.conformance.live.programs.steps import START, Seen, Step, Steps
from tests.conformance.live.shrink import plainer_values, shrink
from tests.conformance.programs.interface import MNT

LENGTH: Final = 100
REPEATED: Final = 2
"""Number of repeated runs in which a difference must occur unchanged."""
PATIENCE: Final = 150
"""Maximum number of runs to shrink an example."""


@attrs.frozen
class Difference:
    """The first step of an example with different results, and both results."""

    index: int
    step: Step
    real: Seen
    simulated: Seen


@attrs.frozen
class Finding:
    """A difference, its shrunk example, and its origin (seed and example number)."""

    steps: Steps
    difference: Difference
    origin: str


def compare(steps: Steps, real: list[Seen], simulated: list[Seen]) -> Difference | None:
    """Return the first difference between two runs, or None."""
    for index, (step, there, here) in enumerate(zip(steps, real, simulated, strict=False)):
        if is_unmodelled(here):
            return None
        if (there.outcome, sorted(there.ended), there.dead) != (here.outcome, sorted(here.ended), here.dead):
            return Difference(index, step, there, here)
    return None


class Search:
    """Search for differences between simkernel and the host. The seed determines the random examples."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.steps = 0
        self.examples = 0
        self.passing = 0
        """Number of differences that did not occur in a repeated run."""
        self.unmodelled: Counter[str] = Counter()
        self.reached = Reached()
        self._real = RealSide()
        self._start = time.monotonic()

    def close(self) -> None:
        """End the programs on the host."""
        self._real.close()

    @property
    def seconds(self) -> float:
        """Seconds since the start of the search."""
        return time.monotonic() - self._start

    def run(self, limit: int, first: int = 0) -> Iterator[Finding]:
        """Run examples until they have at least `limit` steps in total. Yield their differences."""
        number = first
        while self.steps < limit:
            finding = self.example(number)
            number += 1
            if finding is not None:
                yield finding

    def example(self, number: int) -> Finding | None:
        """Run an example. Return its difference, or None."""
        random = Random(f"{self.seed}/{number}")
        side = SimulatedSide()
        try:
            steps, simulated = Generator(random, number).run(side, LENGTH)
        finally:
            side.close()
        self.examples += 1
        for seen in simulated:
            if is_unmodelled(seen):
                self.unmodelled[str(seen.outcome[1])] += 1
        real = self._real.run(steps, side.rests)
        self.steps += len(steps)
        for step, seen in zip(steps, real, strict=True):
            self.reached.count(step.call, seen.outcome[0])
            for _, outcome in seen.ended:
                self.reached.count("a call that slept", outcome[0])
        difference = compare(steps, real, simulated)
        if difference is None:
            return None
        again = self._difference(steps)
        if again is None or any(not self._same(again, self._difference(steps)) for _ in range(REPEATED)):
            self.passing += 1
            return None
        steps = shrink(
            steps[: again.index + 1],
            partial(self._shows, again),
            patience=PATIENCE,
            plainer=_plainer_steps,
        )
        return Finding(steps, self._difference(steps) or again, f"seed {self.seed}, example {number}")

    @staticmethod
    def _same(one: Difference, other: Difference | None) -> bool:
        """Return True if two runs of an example differ at the same step and the host's result of this step is
        the same in both.
        """
        return other is not None and (one.index, one.real) == (other.index, other.real)

    def _difference(self, steps: Steps, *, rests: bool = True) -> Difference | None:
        """Run an example again and return its difference. If `rests` is True, the host waits after each step
        until all programs are idle or blocked. Otherwise it waits only after the steps that need it.
        """
        simulated, wanted = run_simulated(steps)
        steps = steps[: len(simulated)]
        return compare(
            steps, self._real.run(steps, [Rest.AFTER] * len(steps) if rests else wanted), simulated
        )

    def _shows(self, wanted: Difference, steps: Steps) -> bool:
        """Return True if a shortened example still shows the wanted difference, not another one."""
        found = self._difference(steps, rests=False)
        return found is not None and (
            (found.step.call, found.real.outcome[0], found.simulated.outcome[0])
            == (wanted.step.call, wanted.real.outcome[0], wanted.simulated.outcome[0])
        )


def _plainer_steps(step: Step) -> Iterator[Step]:
    """Yield simpler versions of a step: with a simpler argument, or with another call that opens a
    descriptor.
    """
    if step.call == START:
        if step.arguments != (0, 0, (), MNT):
            yield attrs.evolve(step, arguments=(0, 0, (), MNT))
        return
    if step.call in ("open", "pipe2", "eventfd", "socket", "epoll_create", "dup", "accept", "mkfifo"):
        for plain in (("open", ("/dev/null", 2)), ("eventfd", (0, 0))):
            if plain != (step.call, step.arguments):
                yield Step(step.program, *plain)
    for index, argument in enumerate(step.arguments):
        for plain in plainer_values(argument):
            yield attrs.evolve(step, arguments=(*step.arguments[:index], plain, *step.arguments[index + 1 :]))
