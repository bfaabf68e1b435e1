"""Searches for a failing run. A search runs one target under many plans. These are random plans, plans with a
single fault or pause, all plans with up to N pauses, or mutations of plans that increased the coverage.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from random import Random
from typing import Any, Final

import attrs

from simkernel.engine import SimulationError, micros, millis
from simkernel.explore.faults import Fault, Faults
from simkernel.explore.plan import Plan
from simkernel.explore.run import NO_FAULTS, Outcome, Target, run
from simkernel.explore.shrink import shrink
from simkernel.explore.strategy import Profile, draw, log_uniform
from simkernel.kernel.loader.path import unchanged_files

LATE: Final = 10**9
"""A number of points (statements and task steps) that no run reaches. A plan uses this number to delay a
stimulus (an action of the test, such as an unplug) until the machine is quiet.
"""
DURATIONS: Final = (micros(50), millis(5))
"""The two lengths in ns of pauses in a systematic search.  One is shorter than most system calls, the other
is longer.
"""

Watch = Callable[[int, Outcome], object]
"""Callback invoked after each run.  The arguments are the number of the run, from 1, and its outcome."""


@attrs.frozen
class Found:
    """The result of a search that finds a failure.

    number   the number of the run that failed, from 1; run 1 is the default run
    first    the outcome of that run
    outcome  the outcome of the run with the shrunk plan
    tries    number of runs for shrinking
    """

    number: int
    first: Outcome
    outcome: Outcome
    tries: int

    @property
    def plan(self) -> Plan:
        """Plan of the failed run after shrinking."""
        return self.outcome.plan


@attrs.frozen
class Held:
    """The result of a search that finds no failure.

    `exhausted` is True if every plan of its kind was run.
    """

    runs: int
    exhausted: bool = False


class Explorer:
    """Runs one target (a test body or a scenario) many times, each time under another plan of delays, pauses
    and faults.

    rules         fault rules for every run
    plan_options  the options of every plan
    watch         called after each run
    options       keywords of `Trial`

    It reads the files on a module path only once, so a later edit has no effect on its runs.
    """

    def __init__(
        self,
        target: Target,
        *,
        rules: Fault | Faults = NO_FAULTS,
        watch: Watch | None = None,
        plan_options: Mapping[str, str] | None = None,
        **options: Any,
    ) -> None:
        self._target = target
        self._watch = watch
        self._plan_options = dict(plan_options or {})
        self._rules = rules
        self._options = options
        self._files: dict[Any, Any] = {}
        self.runs = 0

    def run(self, plan: Plan, **options: Any) -> Outcome:
        """Run the target under a plan, and count the run."""
        with unchanged_files(self._files):
            outcome = run(self._target, plan, rules=self._rules, **self._options, **options)
        self.runs += 1
        if self._watch is not None:
            self._watch(self.runs, outcome)
        return outcome

    def default(self, seed: int = 0) -> Outcome:
        """Run the target under the default plan, which has no perturbations, and record the points (module
        statements and task steps) that the run passes.
        """
        return self.run(Plan(seed, options=self._plan_options), record=True)

    def base(self) -> Outcome:
        """Run the target without perturbations. If this run announces stimuli (actions of the test, such as
        an unplug), run the target again with all stimuli at the end.

        In the default run, a stimulus happens immediately and can prevent later points.  The second run
        passes these points, and strategies draw from it.  Return the outcome of the last run.
        """
        outcome = self.default()
        if outcome.failure is not None or not outcome.announced:
            return outcome
        stimuli = dict.fromkeys(outcome.announced, LATE)
        return self.run(attrs.evolve(outcome.plan, stimuli=stimuli), record=True)

    def found(self, outcome: Outcome) -> Found:
        """Shrink the plan of a failed run, and return the result of the search."""
        number = self.runs
        with unchanged_files(self._files):
            smallest, tries = shrink(self._target, outcome, self._options)
        return Found(number, outcome, smallest, tries)

    def first_failure(self, plans: Iterable[Plan], **options: Any) -> Found | Held:
        """Run plans until one fails, and return the result of the search."""
        for plan in plans:
            outcome = self.run(plan, **options)
            if outcome.failure is not None:
                return self.found(outcome)
        return Held(self.runs)

    # -- searches -------------------------------------------------------------

    def seeds(
        self, seeds: Iterable[int], strategy: str = "swarm", directed: Iterable[str] = ()
    ) -> Found | Held:
        """Run the default plan, and then one plan for each seed.  The strategy draws the plan from the
        seed.
        """
        base = self.base()
        if base.failure is not None:
            return self.found(base)
        profile = Profile.of(base, directed)
        return self.first_failure(draw(strategy, seed, profile, self._plan_options) for seed in seeds)

    def sweep(self, point: str, limit: int | None = None) -> Found | Held:
        """Count how often the base run (without perturbations) passes the fault point `point`. Then run the
        target once for each of these passes, at most `limit` times. In each of these runs, a different pass
        fails.

        Raise SimulationError if the base run does not reach the fault point.
        """
        base = self.base()
        if base.failure is not None:
            return self.found(base)
        hits = base.hits.get(point, 0)
        if not hits:
            reached = ", ".join(sorted(base.hits)) or "none"
            raise SimulationError(f"the run does not reach the fault point {point!r}; it reaches {reached}")
        numbers = range(1, min(hits, limit or hits) + 1)
        return self.first_failure(attrs.evolve(base.plan, faults=((point, n),)) for n in numbers)

    def sweep_pauses(self, ns: int, places: Callable[[str], bool] = bool) -> Found | Held:
        """For each point of the base run (without perturbations), run the target once with a pause of `ns`
        nanoseconds at this point. Skip a point if the function `places` rejects its place (a statement or a
        task).
        """
        base = self.base()
        if base.failure is not None:
            return self.found(base)
        points = Profile.of(base).among(places).places
        return self.first_failure(attrs.evolve(base.plan, points={at: ns}) for at in points)

    def systematic(
        self, max_pauses: int = 2, durations: Sequence[int] = DURATIONS, max_runs: int | None = None
    ) -> Found | Held:
        """Run every plan of up to `max_pauses` pauses or delays with the lengths in `durations`.  Plans with
        fewer pauses run first.

        After each run, the plans with one more pause, at any point after the last pause, are added.  So no
        plan is omitted. `Held.exhausted` is True if none of these plans fails.
        """
        level = [self.default()]
        if level[0].failure is not None:
            return self.found(level[0])
        for left in reversed(range(max_pauses)):
            longer = []
            for plan in self._extended(level, durations):
                if max_runs is not None and self.runs >= max_runs:
                    return Held(self.runs)
                outcome = self.run(plan)
                if outcome.failure is not None:
                    return self.found(outcome)
                if left:
                    longer.append(outcome)
            level = longer
        return Held(self.runs, exhausted=True)

    def _extended(self, level: list[Outcome], durations: Sequence[int]) -> Iterator[Plan]:
        for outcome in level:
            points = outcome.plan.points
            for at in range(max(points, default=outcome.start) + 1, outcome.count + 1):
                for ns in durations:
                    yield attrs.evolve(outcome.plan, points={**points, at: ns})

    def guided(self, seeds: Iterable[int], strategy: str = "swarm") -> Found | Held:
        """Run the target under one plan for each seed. The plan is newly drawn at random, or a mutation of an
        earlier plan that the search has kept.

        The search keeps a plan if its run passes a new fault point, a new tracepoint, or two points in a new
        order.
        """
        base = self.base()
        if base.failure is not None:
            return self.found(base)
        kept, seen = [base], set(base.coverage)
        profile = Profile.of(base)
        for seed in seeds:
            random = Random(f"guided/{seed}")
            if random.random() < 0.3:
                plan = draw(strategy, seed, profile, self._plan_options)
            else:
                plan = changed(random, random.choice(kept), profile)
            outcome = self.run(plan, record=True)
            if outcome.failure is not None:
                return self.found(outcome)
            if not outcome.coverage <= seen:
                seen |= outcome.coverage
                kept.append(outcome)
        return Held(self.runs)


def changed(random: Random, outcome: Outcome, profile: Profile) -> Plan:
    """Return a mutation of the plan of a run, with one or two perturbations added, removed or changed."""
    plan = outcome.plan
    points, stimuli = dict(plan.points), dict(plan.stimuli)
    own = Profile.of(outcome) if outcome.places else profile
    for _ in range(random.choice((1, 1, 2))):
        pick = random.random()
        if points and pick < 0.2:
            points.pop(random.choice(tuple(points)))
        elif points and pick < 0.4:
            points[random.choice(tuple(points))] = log_uniform(random, 300, 20_000_000)
        elif own.stimuli and pick < 0.6:
            name = random.choice(tuple(own.stimuli))
            stimuli[name] = own.draw_stimulus(random, name)
        elif (at := own.draw(random)) is not None:
            points[at] = log_uniform(random, 300, 20_000_000)
    return attrs.evolve(plan, points=points, stimuli=stimuli)
