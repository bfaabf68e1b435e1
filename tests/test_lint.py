"""ruff and mypy report no error in the project, nor in a user's driver and device."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.guide.blocks import blocks, save

TOOLS = {
    "ruff check": ["ruff", "check", "."],
    "ruff format": ["ruff", "format", "--check", "."],
    "mypy": ["mypy", "--strict", "simkernel", "drivers", "scenarios"],
}


SLOW = ("mypy",)


@pytest.mark.parametrize(
    "tool", [pytest.param(each, marks=[pytest.mark.long] * (each in SLOW)) for each in TOOLS]
)
def test_finds_nothing(tool: str, root: Path) -> None:
    done = subprocess.run([sys.executable, "-m", *TOOLS[tool]], cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


GUIDES = ("first-driver", "first-device")
CALLER = """
from __future__ import annotations

from typing import TYPE_CHECKING

from simkernel.driverapi.module import Module, ThisModule

if TYPE_CHECKING:
    from simkernel.drivers.devclass import DeviceClasses

MODULE = Module(license="GPL", imports=("devclass_register",))

def init(this: ThisModule) -> None:
    classes: DeviceClasses = this.symbols
    classes.devclass_register(this)
"""
ERROR = (
    'modules/caller.py:15: error: Missing positional argument "name" in call to "devclass_register" '
    'of "DeviceClasses"  [call-arg]'
)


@pytest.mark.long
def test_an_installed_simkernel_gives_types_to_a_driver_elsewhere(root: Path, tmp_path: Path) -> None:
    """The guide's drivers and device have no error. A wrong call of an imported symbol is an error."""
    for guide in GUIDES:
        for block in blocks((root / f"simkernel/guide/{guide}.md").read_text("utf-8")):
            save(block.text, tmp_path)
    (tmp_path / "modules/caller.py").write_text(CALLER)
    command = [sys.executable, "-m", "mypy", "--strict", "."]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout.splitlines() == [ERROR, "Found 1 error in 1 file (checked 6 source files)"]
