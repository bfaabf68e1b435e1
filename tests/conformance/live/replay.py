"""Replay of the recorded cases on this host's kernel, to find the areas in which its results differ from the
recordings.
"""

from __future__ import annotations

import platform
from collections.abc import Iterator

import attrs

from tests.conformance import recording
from tests.conformance.case import Case, load_cases
from tests.conformance.real import real
from tests.conformance.runner import Outcome, difference, run

LIMIT = 10.0
"""Maximum seconds for a case."""
TRIES = 3


@attrs.frozen
class Replay:
    """Result of a replay of the recorded cases on the host's kernel: the number of equal cases, and the
    difference of each other case.
    """

    kernel: str
    recorded: str
    agreeing: int
    differing: dict[str, str]

    @property
    def areas(self) -> list[str]:
        """Areas (files of cases) in which at least one case has another result on the host than in its
        recording.
        """
        return list(dict.fromkeys(name.partition(".")[0] for name in self.differing))

    def lines(self) -> Iterator[str]:
        """Yield the lines of a report about the replay: the kernels, the number of equal cases, each
        difference, and the areas (files of cases) with differences, which the random search does not test.
        """
        yield f"this kernel: {self.kernel}; recorded: {self.recorded}"
        yield f"recorded cases on this kernel: {self.agreeing} agree, {len(self.differing)} differ"
        for name, problem in self.differing.items():
            yield f"  {name}: {problem}"
        if self.areas:
            yield f"left out of the search: {', '.join(self.areas)}"


def replay() -> Replay:
    """Run cases on this host's kernel and compare their results with the recorded results. Cases that were
    recorded on User-mode Linux are not run. Needs root.
    """
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
    """Run a case several times, because uevents of other processes cause differences in some runs. Return the
    difference of the last run, or None as soon as one run shows no difference.
    """
    problem = None
    for _ in range(TRIES):
        problem = difference(recorded, run(case, real, LIMIT))
        if problem is None:
            break
    return problem


def is_of_series(series: str) -> bool:
    """Return True if this host's kernel belongs to a series such as "6.18"."""
    return ".".join(platform.release().split(".")[:2]) == series
