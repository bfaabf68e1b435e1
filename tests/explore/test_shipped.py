"""The shipped drivers stand every perturbation of their stories, and every fault of their devices."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest

from simkernel import millis
from simkernel.explore.explorer import LATE, Explorer, Held
from simkernel.explore.plan import Plan
from simkernel.explore.run import Outcome
from simkernel.explore.strategy import Profile
from tests.explore.shipped import STORIES

SWEPT = ("camera over netlink", "video buffers", "camera's driver", "mouse requests", "mouse's driver")
"""Stories that have every operation between them."""
FAULTS = ("bus.access", "dma.alloc", "dma.write", "irq.spurious", "module.init", "probe", "open")
"""Not irq.lost: a program that waits for a frame then waits for ever, as on Linux."""


@pytest.mark.parametrize("name", STORIES)
def test_a_story_runs_in_the_default_order(name: str) -> None:
    outcome = Explorer(STORIES[name]).default()
    assert outcome.failure is None


@pytest.mark.long
@pytest.mark.parametrize("name", STORIES)
def test_no_plan_of_a_seed_fails(name: str) -> None:
    assert isinstance(Explorer(STORIES[name]).seeds(range(1, 300)), Held)


@pytest.mark.long
@pytest.mark.parametrize("name", SWEPT)
def test_no_single_fault_or_pause_fails(name: str) -> None:
    explorer = Explorer(STORIES[name])
    base = explorer.base()
    assert base.failure is None
    late = dict.fromkeys(base.announced, LATE)
    assert isinstance(explorer.first_failure(each_fault(base, late)), Held)
    assert isinstance(explorer.first_failure(each_place(base, late)), Held)


def each_fault(base: Outcome, stimuli: Mapping[str, int]) -> Iterator[Plan]:
    """A plan for each time that the story reaches a fault point."""
    for point in FAULTS:
        for number in range(1, base.hits.get(point, 0) + 1):
            yield Plan(faults=((point, number),), stimuli=stimuli)


def each_place(base: Outcome, stimuli: Mapping[str, int]) -> Iterator[Plan]:
    """A plan for each statement and task, which is paused for 5 ms the last time that it is reached."""
    for points in Profile.of(base).by_place.values():
        yield Plan(points={points[-1]: millis(5)}, stimuli=stimuli)
