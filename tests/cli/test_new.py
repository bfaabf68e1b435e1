"""`simkernel new driver`: the written files run, and their test fails for a broken driver."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import CommandLine

DRIVER = "modules/therm/__init__.py"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, simkernel: CommandLine) -> Iterator[Path]:
    """Write a new driver `therm` into the current folder."""
    monkeypatch.chdir(tmp_path)
    assert simkernel("new", "driver", "therm").code == 0
    monkeypatch.syspath_prepend(str(tmp_path / "therm"))
    yield tmp_path / "therm"
    for name in ("test_therm", "therm_device", "therm_registers"):
        sys.modules.pop(name, None)


def property_test() -> Any:
    """Return the property test of `therm` without Hypothesis: the caller passes the list of steps."""
    return import_module("test_therm").test_every_request_is_answered.hypothesis.inner_test


UNPLUGGED_DURING_A_REQUEST = [("unplug", 50_000), ("measure", 0), ("plug", 10_000), ("wait", 20_000)]


def test_the_scenario_runs(folder: Path, simkernel: CommandLine) -> None:
    done = simkernel("run", "therm/therm_scenario.py", "--json", "--set", "count=3")
    assert done.code == 0
    metrics = json.loads(done.out)["metrics"]
    assert (metrics["measured"], metrics["received"]) == (3, 3)


def test_the_family_can_be_described(folder: Path, simkernel: CommandLine) -> None:
    done = simkernel("describe", "therm", "--module-path", "therm/modules")
    assert done.code == 0
    assert "operation: measure" in done.out


@pytest.mark.parametrize("steps", [[], [("measure", 0)] * 2, [*UNPLUGGED_DURING_A_REQUEST, ("measure", 0)]])
def test_the_property_holds(folder: Path, steps: list[tuple[str, int]]) -> None:
    property_test()(steps)


@pytest.mark.parametrize(
    ("line", "steps"),
    [
        ("        undo.callback(genl_unregister_family, self.family)\n", []),
        ("        self.value = readl(io, hw.VALUE)\n", [("measure", 0)]),
        ("        complete(self.done)  # the request", UNPLUGGED_DURING_A_REQUEST),
    ],
)
def test_the_property_fails_without_a_line_of_the_driver(
    folder: Path, line: str, steps: list[tuple[str, int]]
) -> None:
    text = (folder / DRIVER).read_text("utf-8")
    assert text.count(line) == 1
    (folder / DRIVER).write_text(text.replace(line, "        pass  # " if line[-1] != "\n" else ""), "utf-8")
    with pytest.raises(AssertionError):
        property_test()(steps)


@pytest.mark.long
def test_the_folder_passes_pytest_and_mypy(folder: Path) -> None:
    for tool in (["pytest", "-q"], ["mypy", "--strict", "."]):
        done = subprocess.run([sys.executable, "-m", *tool], cwd=folder, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (
            ["My-Driver"],
            "'My-Driver' cannot be the name of a driver: use a letter, then a-z, 0-9 and _, such as my_dr",
        ),
        (["_x"], "such as x"),
        (["1x"], "use a letter, then a-z, 0-9 and _"),
        (["\u00fc"], "use a letter, then a-z, 0-9 and _"),
        (["class"], "'class' is a Python keyword"),
        (["hello"], "simkernel ships a driver 'hello'"),
        (["a_name_of_17_let"], "has 16 characters: give a name of at most 15"),
        (["therm"], "therm exists: give another name, or a new folder with --into"),
        (["other", "--into", "therm/README.md"], "therm/README.md exists"),
        (["other", "--into", "therm/README.md/x"], "cannot write therm/README.md"),
    ],
)
def test_a_wrong_name_or_folder_is_refused(
    folder: Path, simkernel: CommandLine, arguments: list[str], expected: str
) -> None:
    before = sorted(folder.parent.rglob("*"))
    done = simkernel("new", "driver", *arguments)
    assert done.code in (1, 2)
    assert expected in done.err
    assert sorted(folder.parent.rglob("*")) == before


def test_a_driver_can_be_written_into_an_empty_folder(folder: Path, simkernel: CommandLine) -> None:
    (folder.parent / "empty").mkdir()
    done = simkernel("new", "driver", "lamp_2", "--into", "empty")
    assert done.code == 0
    assert "cd empty" in done.out
    assert "class Lamp2(Device):" in (folder.parent / "empty/lamp_2_device.py").read_text("utf-8")
