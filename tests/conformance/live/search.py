"""The live search: compare random programs in simkernel and on the host's kernel, up to a number of calls or
messages.
"""

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
"""Number of repeated runs in which a program must show the same difference."""

Draw = Callable[[Random], Program]


@attrs.frozen
class Finding:
    """A difference, with the smallest program that shows it and its origin (seed and example number)."""

    origin: str
    program: Program
    difference: Difference


@attrs.define
class Search:
    """Search for differences between simkernel and the host. An example is one random program, which `draw`
    generates. The seed and the example's number determine the program.
    """

    host: Host
    seed: int
    draw: Draw
    limit: float = float("inf")
    """Maximum duration in seconds of an example (one program on both kernels). If an example takes longer,
    its difference does not count, because timers of the host can have expired.
    """
    patience: int = 3000
    """Maximum number of runs to shrink a program."""
    reached: Reached = attrs.field(factory=Reached)
    calls: int = 0
    examples: int = 0
    seconds: float = 0.0
    deviations: Counter[str] = attrs.field(factory=Counter)
    unmodelled: Counter[str] = attrs.field(factory=Counter)
    disturbed: int = 0
    """Number of differences that do not count, because other processes caused uevents while the example ran.
    """
    chance: int = 0
    """Number of differences that depend on the port ids that a kernel chose. They do not count, because
    simkernel's results also differ between seeds.
    """
    slow: int = 0
    """Number of differences in examples that took too long."""
    passing: int = 0
    """Number of differences that did not occur in the repeated runs. Their cause is other activity on the
    host.
    """

    def program(self, number: int) -> Program:
        """Generate the program of an example."""
        return self.draw(Random(f"{self.seed}/{number}"))

    @property
    def messages(self) -> int:
        """Number of messages that were sent to the kernel."""
        return self.reached.messages

    def run(self, steps: int, *, first: int = 0, messages: int | None = None) -> Iterator[Finding]:
        """Compare at least `steps` calls, or send `messages` messages. Yield the differences."""
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
        if example.depends_on_chance(self.host, small):
            if example.depends_on_chance(self.host, program):
                self.chance += 1
                return None
            return Finding(origin, program, difference)
        last = example.run(self.host, small).difference
        return Finding(origin, small, last or difference)

    def _shows(self, program: Program, difference: Difference) -> bool:
        """Run a program. Return True if it shows a difference of the same kind as `difference` and no other
        process caused uevents during the run.
        """
        self.host.disturbed()
        found = example.run(self.host, program).difference
        return found is not None and _kind(found) == _kind(difference) and not self.host.disturbed()


def _kind(difference: Difference) -> tuple[object, ...]:
    """Return a key that is equal for differences of one kind. It contains the call, and each kernel's error
    and message type.
    """
    outcomes = (difference.real, difference.simulated)
    types = tuple(value[0][4:6] for _, value in outcomes if isinstance(value, tuple))
    return difference.step.call, *(kind for kind, _ in outcomes), *types
