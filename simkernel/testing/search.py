"""The search for a plan (a seed and perturbations) under which the body of a test fails, for the mark `sim`
and for `check`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from inspect import signature
from itertools import count, takewhile
from pathlib import Path
from typing import Any, Final, NamedTuple

import attrs

from simkernel.engine import SimulationError
from simkernel.explore.explorer import Explorer, Found, Held
from simkernel.explore.faults import Fault, Faults
from simkernel.explore.plan import Plan
from simkernel.explore.races import RACES, find_races, places
from simkernel.explore.run import NO_FAULTS, Outcome, run
from simkernel.explore.strategy import STRATEGIES, is_step
from simkernel.kernel.lib.report import KIT
from simkernel.machine import Machine
from simkernel.testing.sim import Body
from simkernel.ynl.errors import choose

SEEDS: Final = 100
"""Default number of runs, for a test that sets neither seeds, sweep, systematic nor plans."""
GUIDED: Final = "guided"
PLACES: Final[Mapping[str, Callable[[str], bool]]] = {
    "step": is_step,
    "statement": lambda place: not is_step(place),
}
"""Values of the keyword `sweep` that select places of a run. A "step" is a place at which a task continues. A
"statement" is a line of module code. Each run of the sweep has a pause or a delay at one of these places. The
function returns True if the text of a place ("step of COMM", or FILE:LINE) is of this kind.
"""
PAUSE_NS: Final = 5_000_000
"""Length in ns of the pause or delay in a sweep. Most system calls take less time."""
OF_BODY: Final = ("devices", "modules", "uid")
OF_MACHINE: Final = {*signature(Machine).parameters} - {"seed", "perturbation", "faults"}


class NotDeterministic(AssertionError):
    """Raised if two runs with the same plan have different traces."""


@attrs.frozen
class Result:
    """The result of a search for a plan under which the body of a test fails.

    outcome  the outcome of the failed run with the shrunk plan, or None if no run failed
    runs     number of runs, without those of shrinking
    total    number of planned runs, or 0 if unknown
    tries    number of runs of shrinking
    stale    pinned plans that have points which no longer exist, with these points
    """

    outcome: Outcome | None
    runs: int
    total: int = 0
    tries: int = 0
    stale: tuple[tuple[Plan, tuple[str, ...]], ...] = ()


class _Stage(NamedTuple):
    search: Callable[[Explorer], Found | Held]
    total: int


@attrs.frozen(kw_only=True)
class Search:
    """The body of a test, and the plans (seeds and perturbations) under which it runs.

    seeds       number of runs: the default run, then one plan for each seed; 0 for none
    strategy    how a seed becomes a plan (`simkernel.explore.strategy`), "guided", or "races": pauses at the
                places that the race detector reports
    sweep       a fault point: one run for each hit, which fails; "step" or "statement": one run for each of
                them, with a pause there
    systematic  maximum number of pauses: every plan with no more pauses runs
    plans       pinned plans, which run first
    faults      fault rules
    """

    body: Body
    seeds: int = SEEDS
    strategy: str = "swarm"
    sweep: str | None = None
    systematic: int = 0
    plans: tuple[Plan, ...] = ()
    faults: Fault | Faults = NO_FAULTS

    @classmethod
    def of(
        cls,
        function: Callable[..., object],
        arguments: Mapping[str, object],
        keywords: Mapping[str, Any],
        folder: Path = Path(),
    ) -> Search:
        """Return the search for the test body `function`. `keywords` are the keyword arguments of the mark
        `sim`. Relative module paths begin in the directory `folder`.

        Raise SimulationError for an unknown keyword or an invalid value.
        """
        own = {field.name for field in attrs.fields(cls)} - {"body"}
        for key in keywords:
            if key not in {*own, *OF_BODY, *OF_MACHINE}:
                raise SimulationError(
                    f"sim has no keyword {key!r}: {choose(key, [*own, *OF_BODY, *OF_MACHINE])}"
                )
        options = {key: value for key, value in keywords.items() if key in OF_MACHINE}
        if "module_path" in options:
            options["module_path"] = [folder / each for each in _several(options["module_path"])]
        if RACES in _several(options.get("checks", ())):
            options["checks"] = (*KIT, RACES)
        of_body = {key: _several(keywords[key]) for key in ("devices", "modules") if key in keywords}
        body = Body(function, arguments, **of_body, options=options, uid=keywords.get("uid", 0))
        values = {key: value for key, value in keywords.items() if key in own}
        values["plans"] = tuple(map(_plan, _several(values.get("plans", ()))))
        if any(values.get(key) for key in ("sweep", "systematic", "plans")):
            values.setdefault("seeds", 0)
        return cls(body=body, **values)

    def __attrs_post_init__(self) -> None:
        for key in ("seeds", "systematic"):
            value = getattr(self, key)
            if isinstance(value, bool) or not isinstance(value, int) or value < 0:
                raise SimulationError(f"{key}={value!r}: pass a number of {_UNITS[key]}, 0 or more")
        known = (*STRATEGIES, GUIDED, RACES)
        if self.strategy not in known:
            raise SimulationError(f"strategy={self.strategy!r}: {choose(self.strategy, known)}")
        if not isinstance(self.faults, Fault | Faults):
            raise SimulationError(f"faults={self.faults!r}: join rules with |, as in Fault(...) | Fault(...)")
        if not (self.seeds or self.sweep or self.systematic or self.plans):
            raise SimulationError("seeds=0 without sweep, systematic and plans: the body would never run")

    def run(
        self,
        *,
        replay: Plan | None = None,
        seeds: int | None = None,
        keep_running: Callable[[], bool] | None = None,
        twice: bool = False,
    ) -> Result:
        """Run the body until a run fails or the search ends.

        replay    run only this plan
        seeds     number of seeds, instead of the search's own number
        keep_running  run seeds while it returns True, instead of a fixed number
        twice     run each plan twice, and raise NotDeterministic if the traces differ
        """
        if replay is not None:
            return self._pinned((replay,), twice)
        pinned = self._pinned(self.plans, twice)
        if pinned.outcome is not None:
            return pinned
        runs = pinned.runs
        for stage in self._stages(seeds, keep_running):
            explorer = self._explorer(twice)
            found = stage.search(explorer)
            if isinstance(found, Found):
                return Result(found.outcome, found.number, stage.total, found.tries, pinned.stale)
            runs += found.runs
        return Result(None, runs, stale=pinned.stale)

    def _pinned(self, plans: tuple[Plan, ...], twice: bool) -> Result:
        explorer = self._explorer(twice, rules=False)
        stale = []
        for plan in plans:
            outcome = explorer.run(plan)
            if outcome.stale:
                stale.append((plan, outcome.stale))
            if outcome.failure is not None:
                return Result(outcome, explorer.runs, len(plans), 0, tuple(stale))
        return Result(None, explorer.runs, stale=tuple(stale))

    def _stages(self, seeds: int | None, keep_running: Callable[[], bool] | None) -> Iterator[_Stage]:
        if (swept := self.sweep) is not None:
            kind = PLACES.get(swept)
            if kind is None:
                yield _Stage(lambda explorer: explorer.sweep(swept), 0)
            else:
                yield _Stage(lambda explorer: explorer.sweep_pauses(PAUSE_NS, kind), 0)
        if self.systematic:
            yield _Stage(lambda explorer: explorer.systematic(self.systematic), 0)
        if self.seeds:
            yield self._by_seeds(seeds or self.seeds, keep_running)

    def _by_seeds(self, number: int, keep_running: Callable[[], bool] | None) -> _Stage:
        def search(explorer: Explorer) -> Found | Held:
            on = keep_running or (lambda: explorer.runs < number)
            chosen = takewhile(lambda _: on(), count(1))
            if self.strategy == GUIDED:
                return explorer.guided(chosen)
            if self.strategy == RACES:
                return explorer.seeds(chosen, "pauses", places(find_races(self.body, rules=self.faults)))
            return explorer.seeds(chosen, self.strategy)

        return _Stage(search, 0 if keep_running else number)

    def _explorer(self, twice: bool, rules: bool = True) -> Explorer:
        options: dict[str, Any] = {"traced": True} if twice else {}
        watch = partial(compare, self.body) if twice else None
        return Explorer(self.body, watch=watch, rules=self.faults if rules else NO_FAULTS, **options)


_UNITS: Final = {"seeds": "runs", "systematic": "pauses"}


def compare(body: Body, number: int, outcome: Outcome) -> None:
    """Repeat a run with the same plan.  Raise NotDeterministic if the two traces differ."""
    again = run(body, outcome.plan, traced=True)
    if again.digest != outcome.digest:
        raise NotDeterministic(
            f"two runs of the plan {outcome.plan} have different traces: the body or a driver depends on "
            f"the host (its clock, random, id(), the order of a set), or keeps state from run to run. "
            f"Their failures: {outcome.failure!r} and {again.failure!r}"
        )


def _several(value: Any) -> tuple[Any, ...]:
    """Return the items of an iterable as a tuple. A str, a Path, a Plan or a value that is not iterable
    becomes the only item.
    """
    if isinstance(value, str | Path | Plan) or not isinstance(value, Iterable):
        return (value,)
    return tuple(value)


def _plan(value: object) -> Plan:
    if isinstance(value, Plan):
        return value
    if isinstance(value, str):
        return Plan.parse(value)
    raise SimulationError(f"plans={value!r}: a plan is a text, as in plans=['1,34+3057456']")
