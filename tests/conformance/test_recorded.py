"""Every recorded case, in simkernel: one test for each."""

from __future__ import annotations

import pytest

from simkernel.testing import world
from tests.conformance import recording
from tests.conformance.case import Case, load_cases
from tests.conformance.runner import difference, run_here

CASES = load_cases()
RECORDED = recording.load()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_case(case: Case) -> None:
    """simkernel shows what the real kernel showed."""
    problem = difference(RECORDED.outcome(case), run_here(case, world))
    assert problem is None, f"{case.about}\n{problem}"


def test_nothing_is_recorded_that_no_case_makes() -> None:
    assert set(RECORDED.cases) == {case.name for case in CASES}
