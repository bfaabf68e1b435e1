"""Test that every case that is named on the guide's page about surprises exists in the suite."""

from __future__ import annotations

import re

from simkernel import guide
from tests.conformance.case import load_cases

CASE = re.compile(r"`([a-z_]+\.[a-z_]+)`")


def test_every_named_case_exists() -> None:
    named = set(CASE.findall(guide.text("surprises")))
    assert len(named) > 60
    assert named <= {case.name for case in load_cases()}
