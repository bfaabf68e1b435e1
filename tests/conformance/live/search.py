"""The search: example after example until enough calls are compared."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from random import Random
from typing import Final

import attrs

from tests.conformance.live import example
from tests.conformance.live.coverage import Reached
from tests.conformance.live.example import Difference
from tests.conformance.live.hosts import Host
from tests.conformance.live.shrink import shrink
from tests.conformance.live.steps import Program

RETRIES: Final = 2
"""How often a program that showed a difference has to show it again."""

Draw = Callable[[Random], Program]


@attrs.frozen
class Finding:
    """A difference, with the smallest program that shows it and where it comes from."""

    origin: str
    program: Program
    difference: Difference


@attrs.define
class Search:
    """Examples number 0, 1, 2 ... of a seed, each drawn by `draw`."""

    host: Host
    seed: int
    draw: Draw
    limit: float = float("inf")
    """Seconds after which what an example shows counts for nothing: the host's timers have run off."""
    patience: int = 3000
    """Runs that shrinking a program may take."""
    reached: Reached = attrs.field(factory=Reached)
    calls: int = 0
    examples: int = 0
    seconds: float = 0.0
    deviations: Counter[str] = attrs.field(factory=Counter)
    unmodelled: Counter[str] = attrs.field(factory=Counter)
    disturbed: int = 0
    """Differences while somebody else made uevents, which count for nothing."""
    chance: int = 0
    """Differences that come of which port ids a kernel chose: simkernel differs from itself there."""
    slow: int = 0
    """Differences of examples that took too long."""
    passing: int = 0
    """Differences that did not show again: something else on the host was at work."""

    def program(self, number: int) -> Program:
        """The program of an example."""
        return self.draw(Random(f"{self.seed}/{number}"))

    @property
    def messages(self) -> int:
        """Messages that were sent to the kernel."""
        return self.reached.messages

    def run(self, steps: int, *, first: int = 0, messages: int | None = None) -> Iterator[Finding]:
        """Compare at least `steps` calls, or send so many messages; yield what differs."""
        begun = time.monotonic()
        number = first
        while self.calls < steps if messages is None else self.messages < messages:
            finding = self._example(number)
            self.seconds = time.monotonic() - begun
            if finding is not None:
                yield finding
            number += 1

    def _example(self, number: int) -> Finding | None:
        program = self.program(number)
        begun = time.monotonic()
        self.host.disturbed()
        result = example.run(self.host, program, self.reached)
        self.examples += 1
        self.calls += result.calls
        self.deviations.update(deviation.name for deviation in result.deviations)
        if result.unmodelled is not None:
            self.unmodelled[result.unmodelled] += 1
        if result.difference is None:
            return None
        if self.host.disturbed():
            self.disturbed += 1
            return None
        if time.monotonic() - begun > self.limit:
            self.slow += 1
            return None
        return self._confirmed(program, result.difference, f"seed {self.seed}, example {number}")

    def _confirmed(self, program: Program, difference: Difference, origin: str) -> Finding | None:
        for _ in range(RETRIES):
            with self.host.patient():
                shows = self._shows(program, difference)
            if not shows:
                self.passing += 1
                return None
        small = shrink(
            program[: difference.index + 1],
            lambda candidate: self._shows(candidate, difference),
            patience=self.patience,
        )
        if example.hangs_on_chance(self.host, small):
            if example.hangs_on_chance(self.host, program):
                self.chance += 1
                return None
            return Finding(origin, program, difference)
        last = example.run(self.host, small).difference
        return Finding(origin, small, last or difference)

    def _shows(self, program: Program, difference: Difference) -> bool:
        """Return True if a program ends in a difference of the same kind in the same call."""
        self.host.disturbed()
        found = example.run(self.host, program).difference
        return found is not None and _kind(found) == _kind(difference) and not self.host.disturbed()


def _kind(difference: Difference) -> tuple[object, ...]:
    """Return the call and the answer of each kernel: an error or a message type."""
    said = (difference.real, difference.simulated)
    types = tuple(value[0][4:6] for _, value in said if isinstance(value, tuple))
    return difference.step.call, *(kind for kind, _ in said), *types
