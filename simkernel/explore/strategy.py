"""Strategies, which turn a seed into a plan of delays and pauses.

    noise    short delays at many steps of tasks
    pct      some slow tasks, and long delays at a few steps (probabilistic concurrency testing)
    pauses   a few pauses at statements of module code
    swarm    one of the others, drawn by the seed (the default)

A strategy draws points from the profile of the base run.  Half of the draws choose a point by its number.
The other half first choose a place, so a statement that runs once is as likely as one in a loop.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from math import exp, log
from random import Random
from types import MappingProxyType
from typing import Final

import attrs

from simkernel.engine import SimulationError
from simkernel.explore.plan import IRQ, Plan
from simkernel.explore.run import Outcome
from simkernel.explore.schedule import STEP

NOISE_PROBABILITY: Final = 0.15
NOISE_NS: Final = (100, 2_000_000)
SLOW_NS: Final = (50, 200_000)
CHANGE_NS: Final = (1_000, 60_000_000)
PAUSE_NS: Final = (300, 20_000_000)
COUNTS: Final = (1, 2, 3, 5)
IRQ_PROBABILITY: Final = 0.2


@attrs.frozen(slots=False)
class Profile:
    """The points and the stimuli of the base run (the run without perturbations). A strategy chooses its
    perturbations among them.

    `places` maps the number of each point to its place; `by_place` is the inverse.  `stimuli` maps each
    stimulus to the point after which it was announced.  `last` is the last point.  `directed` are places
    of data races.  If it is not empty, pauses are drawn only at these places.
    """

    places: Mapping[int, str]
    stimuli: Mapping[str, int]
    by_place: Mapping[str, tuple[int, ...]]
    last: int
    directed: frozenset[str] = frozenset()

    @classmethod
    def of(cls, outcome: Outcome, directed: Iterable[str] = ()) -> Profile:
        """Return the profile (the points and the stimuli) of a recorded run."""
        places = {at: outcome.places[at - 1] for at in range(outcome.start + 1, outcome.count + 1)}
        by_place: dict[str, list[int]] = {}
        for at, place in places.items():
            by_place.setdefault(place, []).append(at)
        frozen = {place: tuple(points) for place, points in by_place.items()}
        return cls(places, outcome.announced, frozen, outcome.count, frozenset(directed) & set(frozen))

    def among(self, kind: Callable[[str], bool]) -> Profile:
        """Return a profile with only those points whose place (a statement or a task) is accepted by the
        function `kind`.
        """
        places = {at: place for at, place in self.places.items() if kind(place)}
        by_place = {place: points for place, points in self.by_place.items() if kind(place)}
        return attrs.evolve(self, places=places, by_place=by_place)

    @cached_property
    def steps(self) -> Profile:
        """The profile with only those points at which a task continues."""
        return self.among(is_step)

    @cached_property
    def statements(self) -> Profile:
        """The profile with only the points at statements. If the attribute `directed` contains places of data
        races, keep only the points at these places.
        """
        if self.directed:
            return self.among(self.directed.__contains__)
        return self.among(lambda place: not is_step(place))

    @cached_property
    def _points(self) -> tuple[int, ...]:
        return tuple(self.places)

    @cached_property
    def _place_names(self) -> tuple[str, ...]:
        return tuple(self.by_place)

    def draw(self, random: Random) -> int | None:
        """Choose a point at random: from all points, or from the points of a randomly chosen place. Return
        None if the profile has no points.
        """
        if not self.places:
            return None
        if random.random() < 0.5:
            return random.choice(self._points)
        return random.choice(self.by_place[random.choice(self._place_names)])

    def draw_stimulus(self, random: Random, name: str) -> int:
        """Choose at random the number of points between the announcement of the stimulus `name` and its
        start.
        """
        announced = self.stimuli[name]
        at = self.draw(random) or 0
        return at - announced if at > announced else random.randint(0, max(0, self.last - announced))


def log_uniform(random: Random, least: int, most: int) -> int:
    """Return a random integer whose logarithm is uniformly distributed, so that small and large orders of
    magnitude are equally likely.
    """
    return int(exp(random.uniform(log(least), log(most))))


def is_step(place: str) -> bool:
    """Return True if a task continues at `place` ("step of COMM"), and False if `place` is a statement of
    module code.
    """
    return place.startswith(STEP)


def noise(random: Random, profile: Profile) -> dict[int, int]:
    """Delay many task steps for a short time. Return a dict that maps the number of each delayed step to the
    delay in ns.
    """
    steps = profile.steps.places
    return {at: log_uniform(random, *NOISE_NS) for at in steps if random.random() < NOISE_PROBABILITY}


def pct(random: Random, profile: Profile) -> dict[int, int]:
    """Make some tasks slow in the whole run, and delay a few single steps of tasks for a long time."""
    steps = profile.steps
    slow = {place: log_uniform(random, *SLOW_NS) for place in steps.by_place if random.random() < 1 / 3}
    points = {at: slow[place] for at, place in steps.places.items() if place in slow}
    for _ in range(random.choice(COUNTS)):
        if (at := steps.draw(random)) is not None:
            points[at] = log_uniform(random, *CHANGE_NS)
    return points


def pauses(random: Random, profile: Profile) -> dict[int, int]:
    """Pause at a few statements of module code."""
    points = {}
    for _ in range(random.choice(COUNTS)):
        if (at := profile.statements.draw(random)) is not None:
            irq = random.random() < IRQ_PROBABILITY
            points[at] = IRQ if irq else log_uniform(random, *PAUSE_NS)
    return points


def swarm(random: Random, profile: Profile) -> dict[int, int]:
    """Choose one of the strategies noise, pct and pauses at random, and use it for the plan."""
    return random.choice((noise, pct, pauses, pauses))(random, profile)


def default(random: Random, profile: Profile) -> dict[int, int]:
    """Return no delays and no pauses. From seed to seed, only the machine's seed, the faults and the stimuli
    vary.
    """
    return {}


STRATEGIES: Final[Mapping[str, Callable[[Random, Profile], dict[int, int]]]] = MappingProxyType(
    {"swarm": swarm, "noise": noise, "pct": pct, "pauses": pauses, "default": default}
)


def draw(strategy: str, seed: int, profile: Profile, options: Mapping[str, str] | None = None) -> Plan:
    """Return the plan that a strategy makes from a seed. Raise SimulationError for an unknown strategy."""
    if strategy not in STRATEGIES:
        raise SimulationError(f"unknown strategy {strategy!r}: use one of {', '.join(STRATEGIES)}")
    random = Random(f"{strategy}/{seed}")
    points = STRATEGIES[strategy](random, profile)
    stimuli = {name: profile.draw_stimulus(random, name) for name in profile.stimuli}
    return Plan(seed, points, (), stimuli, options or {})
