"""Strategies for plans: hypothesis draws the perturbations of a run and shrinks them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from simkernel.explore.plan import IRQ, NOTHING, Plan
from simkernel.testing.strategies.devices import WAITS

MAX_NTH: Final = 30
ZERO: Final = st.just(0)


def plans(
    *,
    seeds: SearchStrategy[int] = ZERO,
    points: int = 300,
    max_size: int = 5,
    faults: Sequence[str] = (),
    stimuli: Sequence[str] = (),
    options: Mapping[str, str] = NOTHING,
) -> SearchStrategy[Plan]:
    """Return a strategy for plans with up to `max_size` delays and pauses. Each happens at a point: an
    instant at which a plan can change the order of events. The argument `points` is the number of the last
    point that a plan can use.

    faults   names of fault points; the n-th hit of up to `max_size` drawn fault points fails
    stimuli  names of stimuli (`sim.any_step`); each happens at one of the points
    """
    numbers = st.integers(1, points)
    fails = st.tuples(st.sampled_from(faults), st.integers(1, MAX_NTH)) if faults else st.nothing()
    return st.builds(
        Plan,
        seed=seeds,
        points=st.dictionaries(numbers, WAITS | st.just(IRQ), max_size=max_size),
        faults=st.lists(fails, max_size=max_size if faults else 0),
        stimuli=st.fixed_dictionaries(dict.fromkeys(stimuli, numbers)),
        options=st.just(options),
    )
