"""The search: example after example until enough calls are compared."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from random import Random
from typing import Final

import attrs

from tests.conformance.live import example
from tests.conformance.live.coverage import Reached
from tests.conformance.live.example import Difference
from tests.conformance.live.generator import Generator
from tests.conformance.live.hosts import Host
from tests.conformance.live.shrink import shrink
from tests.conformance.live.steps import Program

RETRIES: Final = 2
"""How often a program that showed a difference has to show it again."""


@attrs.frozen
class Finding:
    """A difference, with the smallest program that shows it and where it comes from."""

    origin: str
    program: Program
    difference: Difference


@attrs.define
class Search:
    """Examples number 0, 1, 2 ... of a seed."""

    host: Host
    seed: int
    reached: Reached = attrs.field(factory=Reached)
    calls: int = 0
    examples: int = 0
    seconds: float = 0.0
    deviations: Counter[str] = attrs.field(factory=Counter)
    unmodelled: Counter[str] = attrs.field(factory=Counter)
    passing: int = 0
    """Differences that did not show again: something else on the host was at work."""

    def program(self, number: int) -> Program:
        """The program of an example."""
        random = Random(f"{self.seed}/{number}")
        return Generator(random, privileged=self.host.privileged, protocols=self.host.protocols).program()

    def run(self, steps: int, *, first: int = 0, seconds: float | None = None) -> Iterator[Finding]:
        """Compare at least `steps` calls, or as many as there is time for; yield what differs."""
        begun = time.monotonic()
        number = first
        while self.calls < steps:
            self.seconds = time.monotonic() - begun
            if seconds is not None and self.seconds > seconds:
                break
            finding = self._example(number)
            if finding is not None:
                yield finding
            number += 1
        self.seconds = time.monotonic() - begun

    def _example(self, number: int) -> Finding | None:
        program = self.program(number)
        result = example.run(self.host, program, self.reached)
        self.examples += 1
        self.calls += result.calls
        if result.unmodelled is not None:
            self.unmodelled[result.unmodelled] += 1
        self.deviations.update(deviation.name for deviation in result.deviations)
        if result.difference is None:
            return None
        return self._confirmed(program, result.difference, f"seed {self.seed}, example {number}")

    def _confirmed(self, program: Program, difference: Difference, origin: str) -> Finding | None:
        for _ in range(RETRIES):
            if not self._shows(program, difference):
                self.passing += 1
                return None
        small = shrink(program[: difference.index + 1], lambda candidate: self._shows(candidate, difference))
        last = example.run(self.host, small).difference
        return Finding(origin, small, last or difference)

    def _shows(self, program: Program, difference: Difference) -> bool:
        """Whether a program ends in a difference in the same call."""
        found = example.run(self.host, program).difference
        return found is not None and found.step.call == difference.step.call
