"""One test for each recorded case: simkernel makes the same observations as the recorded kernel."""

from __future__ import annotations

import pytest

from tests.conformance import recording
from tests.conformance.case import Case, load_cases
from tests.conformance.runner import difference, run_here
from tests.conformance.simulated import simulated

CASES = load_cases()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_case(case: Case) -> None:
    """The observations on simkernel equal those of the recorded kernel."""
    problem = difference(recording.recorded(case), run_here(case, simulated))
    assert problem is None, f"{case.about}\n{problem}"


@pytest.mark.parametrize("oracle", recording.ORACLES)
def test_recording_and_suite_have_the_same_cases(oracle: str) -> None:
    assert set(recording.loaded(oracle).cases) == {case.name for case in CASES if case.oracle == oracle}
