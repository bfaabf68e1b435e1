"""The recorded cases on the kernel of this host: in which areas is it another kernel?"""

from __future__ import annotations

import platform
from collections.abc import Iterator

import attrs

from tests.conformance import recording
from tests.conformance.case import Case, load_cases
from tests.conformance.real import real
from tests.conformance.runner import Outcome, difference, run

LIMIT = 10.0
"""Seconds for a case."""
TRIES = 3


@attrs.frozen
class Replay:
    """How the host's kernel compares with the recorded one: cases that agree, and what each other says."""

    kernel: str
    recorded: str
    agreeing: int
    differing: dict[str, str]

    @property
    def areas(self) -> list[str]:
        """The areas with a case that differs."""
        return list(dict.fromkeys(name.partition(".")[0] for name in self.differing))

    def lines(self) -> Iterator[str]:
        """For people to read."""
        yield f"this kernel: {self.kernel}; recorded: {self.recorded}"
        yield f"recorded cases on this kernel: {self.agreeing} agree, {len(self.differing)} differ"
        for name, problem in self.differing.items():
            yield f"  {name}: {problem}"
        if self.areas:
            yield f"left out of the search: {', '.join(self.areas)}"


def replay() -> Replay:
    """Run every recorded case on this host's kernel.  Wants root."""
    recorded = recording.load()
    differing = {}
    cases = [case for case in load_cases() if case.oracle == recording.HOST]
    for case in cases:
        problem = _lasting_difference(recorded.outcome(case), case)
        if problem is not None:
            differing[case.name] = problem
    return Replay(
        f"{platform.system()} {platform.release()}",
        recorded.kernel,
        len(cases) - len(differing),
        differing,
    )


def _lasting_difference(recorded: Outcome, case: Case) -> str | None:
    """The difference that a case shows each time; somebody else's uevents show once."""
    problem = None
    for _ in range(TRIES):
        problem = difference(recorded, run(case, real, LIMIT))
        if problem is None:
            break
    return problem


def is_of_series(series: str) -> bool:
    """Whether this host's kernel is one of "6.18", say."""
    return ".".join(platform.release().split(".")[:2]) == series
