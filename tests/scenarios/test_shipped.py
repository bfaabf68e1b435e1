"""Every shipped scenario runs, tells what it is for, and is the same everywhere."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from simkernel.cli import stories
from tests.cli.terminal import Terminal, plain

TWICE = """
import sys
from simkernel.cli import main
for _ in range(2):
    main(["run", *sys.argv[1:], "--json"], standalone_mode=False)
    print(",")
"""
LESS = {"ipc": ("--set", "messages=10", "--set", "asleep=100")}
"""Of what is long, a part."""

each_scenario = pytest.mark.parametrize("name", stories.names())


@each_scenario
def test_tells_what_it_is_for(name: str) -> None:
    path = stories.find(name)
    told = stories.sections(stories.docstring(path))
    assert list(told) == ["", *stories.SECTIONS]
    assert all(told.values())
    scenario = stories.load(path)
    assert scenario.name == name
    assert all(parameter.help for parameter in scenario.parameters)


@each_scenario
def test_story_fits_on_a_screen_of_80_columns(name: str) -> None:
    """The first scenario that a user runs fits on 24 lines."""
    shown = plain(Terminal("run", name, columns=80, errors=False).text())
    lines = [line.rstrip() for line in shown.splitlines()]
    assert max(map(len, lines)) <= 80
    assert len(lines) < (24 if name == "camera" else 40)


@pytest.fixture(scope="module")
def elsewhere(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the checkout, in another place."""
    copy = tmp_path_factory.mktemp("another") / "place"
    for folder in ("simkernel", "drivers", "scenarios"):
        shutil.copytree(root / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__"))
    return copy


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.long] * (name == "ipc")) for name in stories.names()]
)
def test_is_the_same_everywhere(name: str, root: Path, elsewhere: Path) -> None:
    """Twice in one process, and from another path, under another hash seed, on a terminal."""
    run = (name, *LESS.get(name, ()))
    here = {**os.environ, "PYTHONHASHSEED": "1"}
    done = subprocess.run(
        [sys.executable, "-c", TWICE, *run], cwd=root, env=here, capture_output=True, text=True, check=True
    )
    first, second = map(repeatable, json.loads(f"[{done.stdout}null]")[:2])
    assert first == second
    assert len(first["trace_sha256"]) == 64
    assert first["simulated_ns"] > 0
    assert first["events"] > 0

    there = {**os.environ, "PYTHONHASHSEED": "2", "PYTHONPATH": str(elsewhere)}
    terminal = Terminal("run", *run, "--json", cwd=elsewhere, environment=there, errors=False)
    assert repeatable(json.loads(terminal.text())) == first


def repeatable(told: dict[str, Any]) -> dict[str, Any]:
    """All but the host's."""
    return {key: value for key, value in told.items() if key != "host"}
