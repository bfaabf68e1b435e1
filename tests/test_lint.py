"""ruff and mypy find nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

TOOLS = {
    "ruff check": ["ruff", "check", "."],
    "ruff format": ["ruff", "format", "--check", "."],
    "mypy": ["mypy", "--strict", "simkernel", "drivers"],
}


@pytest.mark.parametrize("tool", TOOLS)
def test_finds_nothing(tool: str, root: Path) -> None:
    done = subprocess.run([sys.executable, "-m", *TOOLS[tool]], cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
