"""Every shipped scenario runs, describes its purpose, and gives the same results everywhere."""

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
from tests.conftest import CommandLine

RUNS = """
import sys
from simkernel.cli import main
for run in sys.argv[1:]:
    main(["run", *run.split(), "--json"], standalone_mode=False)
    print(",")
"""
"""Script that runs scenarios one after the other. Each argument of the script contains the arguments of one
`simkernel run`, separated by spaces.
"""
SHORT = {
    "ipc": "ipc --set messages=10 --set asleep=100",
    "camera": "camera --set duration=0.2",
    "mouse": "mouse --set moves=300",
    "links": "links --set changes=150",
}
"""Arguments that shorten a long scenario."""

each_scenario = pytest.mark.parametrize("name", stories.names())


@each_scenario
def test_docstring_states_the_purpose(name: str) -> None:
    path = stories.find(name)
    told = stories.sections(stories.docstring(path))
    assert list(told) == ["", *stories.SECTIONS]
    assert all(told.values())
    scenario = stories.load(path)
    assert scenario.name == name
    assert all(parameter.help for parameter in scenario.parameters)


@pytest.mark.parametrize(
    "name", [pytest.param(each, marks=[pytest.mark.long] * (each != "camera")) for each in stories.names()]
)
def test_story_fits_on_a_screen_of_80_columns(name: str) -> None:
    """New users run the scenario `camera` first. Its output has fewer than 24 lines."""
    shown = plain(Terminal("run", name, columns=80, errors=False).text())
    lines = [line.rstrip() for line in shown.splitlines()]
    assert max(map(len, lines)) <= 80
    assert len(lines) < (24 if name == "camera" else 40)


@pytest.fixture(scope="module")
def elsewhere(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the checkout in another folder."""
    copy = tmp_path_factory.mktemp("another") / "place"
    for folder in ("simkernel", "drivers", "scenarios"):
        shutil.copytree(root / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__"))
    return copy


QUICK = ["hello"]
THE_REST = [name for name in stories.names() if name not in QUICK]


@pytest.mark.parametrize(
    "names",
    [QUICK, pytest.param(THE_REST, marks=pytest.mark.long)],
    ids=" ".join,
)
def test_a_run_does_not_depend_on_process_folder_or_hash_seed(
    names: list[str], root: Path, elsewhere: Path
) -> None:
    runs = [SHORT.get(name, name) for name in names]
    first, second = results([*runs, *runs], root, hash_seed=1), results(runs, elsewhere, hash_seed=2)
    assert first[: len(runs)] == first[len(runs) :] == second
    for result in first:
        assert len(result["trace_sha256"]) == 64
        assert result["simulated_ns"] > 0 and result["events"] > 0


def test_a_run_does_not_depend_on_a_terminal(simkernel: CommandLine) -> None:
    text = Terminal("run", "hello", "--json", errors=False).text()
    assert repeatable(json.loads(text)) == repeatable(json.loads(simkernel("run", "hello", "--json").out))


def results(runs: list[str], checkout: Path, *, hash_seed: int) -> list[dict[str, Any]]:
    """Run scenarios in a new process that imports simkernel from `checkout`. Return the parts of their JSON
    results that do not depend on the host.
    """
    environment = {**os.environ, "PYTHONHASHSEED": str(hash_seed), "PYTHONPATH": str(checkout)}
    done = subprocess.run(
        [sys.executable, "-c", RUNS, *runs],
        cwd=checkout,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return [repeatable(result) for result in json.loads(f"[{done.stdout}null]")[:-1]]


def repeatable(told: dict[str, Any]) -> dict[str, Any]:
    """Return the part of a result that does not depend on the host."""
    return {key: value for key, value in told.items() if key != "host"}
