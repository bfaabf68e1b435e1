"""pyroute2's own integration tests, hosted: those that pass on Linux pass on simkernel, too."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

if sys.platform != "linux":
    pytest.skip("the arms run on Linux", allow_module_level=True)

from tests.hosted.pyroute2_arms import arms
from tests.hosted.pyroute2_arms.reasons import REASONS

PASSES = Path(arms.__file__).with_name("passes.txt").read_text("utf-8").splitlines()
"""The tests that pass on user-mode-linux and on simkernel."""


def test_each_reason_is_given_once() -> None:
    patterns = [pattern for pattern, _ in REASONS]
    assert len(patterns) == len(set(patterns))


@pytest.mark.long
def test_recorded_tests_pass_on_simkernel(tmp_path: Path) -> None:
    pytest.importorskip("netaddr", reason="netaddr, which pyroute2's tests import, is not installed")
    try:
        results = arms.run("simkernel", arms.find_tree(), tmp_path)
    except arms.Unavailable as error:
        pytest.skip(str(error))
    present = [test for test in PASSES if test in results]  # another version may lack some
    assert len(present) > len(PASSES) // 2
    assert not {test: results[test] for test in present if results[test][0] != "pass"}
