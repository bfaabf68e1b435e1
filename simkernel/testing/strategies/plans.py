"""Strategies for plans: what hypothesis perturbs in a run, and shrinks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from simkernel.engine import MILLISECOND
from simkernel.explore.plan import IRQ, Plan

ZERO: Final = st.just(0)


def plans(
    *,
    seeds: SearchStrategy[int] = ZERO,
    points: int = 300,
    longest: int = 10 * MILLISECOND,
    max_size: int = 5,
    faults: Sequence[str] = (),
    stimuli: Sequence[str] = (),
    options: Mapping[str, str] | None = None,
) -> SearchStrategy[Plan]:
    """Plans that perturb a run at up to `max_size` of its first `points` points.

    longest   the longest delay or pause, in ns
    faults    fault points, of which the n-th use fails
    stimuli   names of stimuli (`sim.any_step`), each at some point
    """
    numbers = st.integers(1, points)
    pauses = st.integers(1, longest) | st.just(IRQ)
    failing = st.tuples(st.sampled_from(faults), st.integers(1, 30)) if faults else st.nothing()
    return st.builds(
        Plan,
        seed=seeds,
        points=st.dictionaries(numbers, pauses, max_size=max_size),
        faults=st.lists(failing, max_size=max_size if faults else 0).map(tuple),
        stimuli=st.fixed_dictionaries(dict.fromkeys(stimuli, numbers)),
        options=st.just(options or {}),
    )
