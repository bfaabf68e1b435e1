"""Searches find no failure of the shipped drivers. They try random plans, single pauses and single faults."""

from __future__ import annotations

import pytest

from simkernel import millis
from simkernel.explore.explorer import Explorer, Held
from tests.explore.shipped import STORIES

SWEPT = ("camera over netlink", "video buffers", "camera's driver", "mouse requests", "mouse's driver")
"""Names of the search targets in which each single fault is injected. Together, their programs use every
operation of the drivers.
"""
FAULTS = ("bus.access", "dma.alloc", "dma.write", "irq.spurious", "module.init", "probe", "open")
"""Fault points at which the test injects single faults. The tuple omits irq.lost, because a lost interrupt
makes a program wait forever for a frame, as on Linux.
"""


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
def test_no_single_fault_fails(name: str) -> None:
    explorer = Explorer(STORIES[name])
    hits = explorer.base().hits
    for point in FAULTS:
        assert not hits.get(point) or isinstance(explorer.sweep(point), Held), point


@pytest.mark.long
@pytest.mark.parametrize("name", STORIES)
def test_no_single_pause_fails(name: str) -> None:
    assert isinstance(Explorer(STORIES[name]).sweep_pauses(millis(5)), Held)
