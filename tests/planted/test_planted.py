"""The strategy `swarm` finds each planted bug within 500 seeds. With the bug fixed, every seed passes."""

from __future__ import annotations

from importlib import import_module

import pytest

from simkernel.explore.explorer import Explorer, Found
from tests.planted.bug import bugs
from tests.planted.series import SEEDS, series

BUGS = bugs()


@pytest.mark.parametrize("sound", [True, False], ids=["sound", "faulty"])
@pytest.mark.parametrize("name", BUGS)
def test_default_run_passes(name: str, sound: bool) -> None:
    outcome = Explorer(BUGS[name].target(sound)).default()
    if outcome.failure is not None:
        raise outcome.failure


@pytest.mark.parametrize("name", BUGS)
def test_bug_names_a_public_report(name: str) -> None:
    assert "https://" in (import_module(f"tests.planted.bugs.{name}").__doc__ or "")


def test_there_are_enough_bugs() -> None:
    assert len(BUGS) >= 16


@pytest.mark.long
@pytest.mark.parametrize("name", BUGS)
def test_swarm_finds_the_bug(name: str) -> None:
    """In the median of five searches, the strategy finds the bug within 500 runs."""
    assert series(BUGS[name], "swarm").runs <= SEEDS


@pytest.mark.long
@pytest.mark.parametrize("name", BUGS)
def test_no_seed_fails_the_fix(name: str) -> None:
    result = Explorer(BUGS[name].target(sound=True)).seeds(range(SEEDS))
    if isinstance(result, Found):
        raise AssertionError(f"the fix fails under {result.plan}") from result.outcome.failure
