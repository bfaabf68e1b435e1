"""No checker of the kernel reports an error in the tests and scenarios of the shipped drivers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from simkernel.kernel.lib.report import CHECKERS


@pytest.mark.long
@pytest.mark.parametrize("folder", ["tests/drivers", "tests/scenarios", "tests/explore/test_shipped.py"])
def test_no_checker_reports_a_shipped_driver(root: Path, folder: str) -> None:
    arguments = ("-m", "pytest", folder, "-q", "-p", "no:cacheprovider", "--checks", ",".join(CHECKERS))
    result = subprocess.run(
        [sys.executable, *arguments], cwd=root, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout[-5000:]
