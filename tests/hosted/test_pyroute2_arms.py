"""pyroute2's own integration tests that pass on Linux also pass hosted on simkernel."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

if sys.platform != "linux":
    pytest.skip("the arms run on Linux", allow_module_level=True)

from tests.hosted.pyroute2_arms import arms
from tests.hosted.pyroute2_arms.reasons import REASONS

PASSES = Path(arms.__file__).with_name("passes.txt").read_text("utf-8").splitlines()
"""Names of the tests that pass on User-mode Linux and on simkernel, in alphabetical order."""
SAMPLE = [test for test in PASSES if "test_stress" not in test][::9]
"""Every ninth of the tests in PASSES, without the stress tests. `python -m tests.hosted.pyroute2_arms` runs
all tests.
"""


def test_each_reason_pattern_occurs_once() -> None:
    patterns = [pattern for pattern, _ in REASONS]
    assert len(patterns) == len(set(patterns))


@pytest.mark.long
def test_sample_of_recorded_tests_passes_on_simkernel(tmp_path: Path) -> None:
    pytest.importorskip("netaddr", reason="netaddr, which pyroute2's tests import, is not installed")
    select = tmp_path / "select"
    select.write_text("\n".join(SAMPLE), "utf-8")
    try:
        results = arms.run("simkernel", arms.find_tree(), tmp_path, more=["--select", str(select)])
    except arms.Unavailable as error:
        pytest.skip(str(error))
    assert len(results) > len(SAMPLE) // 2  # Another version of pyroute2 may lack some tests.
    assert not {test: result for test, result in results.items() if result[0] != "pass"}
