"""The shipped drivers stand every perturbation of their stories."""

from __future__ import annotations

import pytest

from simkernel.explore.explorer import Explorer, Held
from tests.explore.shipped import STORIES


@pytest.mark.parametrize("name", STORIES)
def test_a_story_runs_in_the_default_order(name: str) -> None:
    outcome = Explorer(STORIES[name]).default()
    assert outcome.failure is None


@pytest.mark.long
@pytest.mark.parametrize("name", STORIES)
def test_no_plan_of_a_seed_fails(name: str) -> None:
    assert isinstance(Explorer(STORIES[name]).seeds(range(1, 300)), Held)
