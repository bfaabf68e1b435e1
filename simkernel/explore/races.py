"""The data races of a target, as the race detector reports them.  A strategy can pause at the places of these
races.

The detector reports a race even if the run does not fail.  A pause at one of the two places lets the other
context run in between.  So a search finds a failure caused by that race in far fewer runs:

    explorer.seeds(range(100), "pauses", directed=places(find_races(target)))
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import Any, Final

import attrs

from simkernel.explore.plan import Plan
from simkernel.explore.run import Target, Trial
from simkernel.machine import Machine

RACES: Final = "races"


@attrs.frozen
class Race:
    """A data race: two memory accesses that are not ordered.

    `places` are the file and first line of the two statements, the later one first.  `text` is the report.
    """

    places: tuple[str, ...]
    text: str


class RaceTrial(Trial):
    """A run of a target whose machines have the race detector."""

    def machine(self, **options: Any) -> Machine:
        """Return a machine with the keywords `options` and with the checker "races" added."""
        checks = tuple(options.pop("checks", ()))
        return super().machine(**options, checks=(*(each for each in checks if each != RACES), RACES))


def find_races(target: Target, plan: Plan | None = None, **options: Any) -> tuple[Race, ...]:
    """Run a target once, by default under the plan without perturbations, and return its data races.

    `options` are keywords of `Trial`.  An exception of the run is ignored.
    """
    trial = RaceTrial(Plan() if plan is None else plan, **options)
    with suppress(Exception):
        target.run(trial)
    with suppress(Exception):
        trial.close()
    reports = (report for machine in trial.machines for report in machine.reports)
    return tuple(Race(report.places, report.text) for report in reports if report.checker == RACES)


def places(races: Iterable[Race]) -> frozenset[str]:
    """Return the source lines (FILE:LINE) of all accesses in the data races `races`."""
    return frozenset(place for race in races for place in race.places)
