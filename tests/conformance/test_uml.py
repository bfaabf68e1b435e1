"""On User-mode Linux, each case has the results in its recording (of UML or of Linux 6.18), except for known
differences between the two kernels.
"""

from __future__ import annotations

import pytest

from tests.conformance import recording
from tests.conformance.case import Case, load_cases
from tests.conformance.runner import Outcome, difference
from tests.conformance.uml.differences import AREAS, DIFFERENCES, LEFT_OUT
from tests.conformance.uml.world import uml

pytestmark = pytest.mark.long

LIMIT = 120.0
CASES = [case for case in load_cases() if case.area not in AREAS and case.name not in LEFT_OUT]


def outcome(case: Case) -> Outcome:
    found = uml.run_case(case, LIMIT)
    if found.skipped is not None:
        pytest.skip(found.skipped)
    return found


@pytest.mark.parametrize("case", [c for c in CASES if c.name not in DIFFERENCES], ids=lambda case: case.name)
def test_uml_matches_the_recording(case: Case) -> None:
    problem = difference(recording.recorded(case), outcome(case))
    assert problem is None, f"{case.about}\n{problem}"


@pytest.mark.parametrize("case", [c for c in CASES if c.name in DIFFERENCES], ids=lambda case: case.name)
def test_known_difference_still_exists(case: Case) -> None:
    assert difference(recording.recorded(case), outcome(case)) is not None, DIFFERENCES[case.name]


def test_every_known_difference_names_a_case() -> None:
    assert {case.name for case in CASES} >= set(DIFFERENCES)
