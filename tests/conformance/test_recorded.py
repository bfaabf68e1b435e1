"""One test for each recorded case: simkernel makes the same observations as the recorded kernel."""

from __future__ import annotations

import pytest

from tests.conformance import clock, recording
from tests.conformance.case import Case, load_cases
from tests.conformance.runner import difference

CASES = load_cases()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_case(case: Case) -> None:
    """simkernel makes the observations of the recorded kernel. The simulated time and the counters at the end
    of the case equal those in clock.json.
    """
    outcome, end = clock.timed(case)
    problem = difference(recording.recorded(case), outcome)
    assert problem is None, f"{case.about}\n{problem}"
    assert end == clock.pinned()[case.name], clock.__doc__


def test_each_case_is_pinned() -> None:
    assert set(clock.pinned()) == {case.name for case in CASES}


@pytest.mark.parametrize("oracle", recording.ORACLES)
def test_recording_and_suite_have_the_same_cases(oracle: str) -> None:
    assert set(recording.loaded(oracle).cases) == {case.name for case in CASES if case.oracle == oracle}
