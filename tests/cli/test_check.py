"""`simkernel check`: exit codes, JSON, replay, an exercise's starting file, and a user's own exercise."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from simkernel.shipped import shipped
from tests.conftest import CommandLine

EXERCISES = shipped("scenarios") / "exercises"
LISTED_FIRST = """\
async def watch(app, table):
    print("watching")
    table.update(await app.listdir("/sys/class/mouse"))
    async for event in await app.uevents():
        pass
"""
JUDGE = '''"""Add two numbers.

`add(app, a, b)` returns the sum.
"""

from simkernel.testing.exercise import Wrong, exercise


@exercise(calls={"add": "app, a, b"})
async def judge(app, sim, student):
    a, b = app.random.randrange(1000), app.random.randrange(1000)
    if (answer := await student.add(app, a, b)) != a + b:
        raise Wrong(f"add(app, {a}, {b}) returns {answer}: the sum is {a + b}")
'''
ADD = "async def add(app, a, b):\n    return a + b\n"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.long
def test_solution_passes_with_code_0(here: Path, simkernel: CommandLine) -> None:
    result = simkernel(
        "check", EXERCISES / "hotplug" / "solution.py", "--exercise", "hotplug", "--seeds", 3, "--seed", 7
    )
    assert result.code == 0
    assert result.out.startswith("PASS: ")
    assert result.out.endswith(" in 6 runs (--seed 7)\n")


def test_failure_has_code_1_and_a_line_that_shows_it_again(here: Path, simkernel: CommandLine) -> None:
    Path("mine.py").write_text(LISTED_FIRST, "utf-8")
    result = simkernel("check", "mine.py", "--exercise", "hotplug")
    assert result.code == 1
    lines = result.out.splitlines()
    assert lines[0] == "FAIL: mine.py does not do the exercise hotplug"
    assert lines[2].startswith("the table has ['mouse0'], but the mice are ['mouse1']: mouse0 is unplugged")
    assert "    watching" in lines
    assert any(line.startswith("Run 1 fails (--seed ") for line in lines)
    assert "Calls:" not in lines
    again = simkernel(*shlex.split(lines[-1])[1:])
    assert again.code == 1
    assert again.out.splitlines()[2] == lines[2]
    assert "Calls:" in again.out
    assert "getdents64(" in again.out


@pytest.mark.long
def test_json_is_one_object(here: Path, simkernel: CommandLine) -> None:
    Path("mine.py").write_text(f"import os\nos.write(1, b'noise')\nprint('noise')\n{LISTED_FIRST}", "utf-8")
    result = simkernel("check", "mine.py", "--exercise", "hotplug", "--seed", 5, "--json")
    assert result.code == 1
    data = json.loads(result.out)
    assert (data["exercise"], data["file"], data["passed"], data["seed"]) == ("hotplug", "mine.py", False, 5)
    assert data["reason"].startswith("the table has ['mouse0']")
    assert data["replay"] == "simkernel check mine.py --exercise hotplug --replay 0"
    assert data["printed"] == "noise\nwatching\n"


def test_starting_file_is_written_once(here: Path, simkernel: CommandLine) -> None:
    assert simkernel("check", "--exercise", "remove", "--start").code == 0
    text = Path("remove.py").read_text("utf-8")
    assert text.startswith('"""Complete a driver: ')
    compile(text, "remove.py", "exec")
    Path("remove.py").write_text("mine", "utf-8")
    again = simkernel("check", "--exercise", "remove", "--start")
    assert again.code == 2
    assert "cannot write remove.py: File exists" in again.err
    assert Path("remove.py").read_text("utf-8") == "mine"


def test_exercises_are_listed_and_are_no_scenarios(simkernel: CommandLine) -> None:
    listed = simkernel("check", "--list")
    assert [line.split()[0] for line in listed.out.splitlines()] == [
        "attribute", "hotplug", "interrupt", "remove", "request", "resync",
    ]  # fmt: skip
    assert "exercises" not in simkernel("list").out


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["mine.py"], "--exercise is missing: give one of attribute, hotplug, "),
        (
            ["mine.py", "--exercise", "hotplugs"],
            "no exercise and no directory is called 'hotplugs': did you mean hotplug?",
        ),
        (
            ["none.py", "--exercise", "hotplug"],
            "there is no file 'none.py': --start writes the starting file",
        ),
        (["--exercise", "hotplug"], "there is no file"),
        (["mine.py", "--exercise", "hotplug", "--replay", "x"], "'x' is not a plan"),
        (["mine.py", "--exercise", "hotplug", "--seeds", "0"], "--seeds"),
    ],
)
def test_wrong_command_line_has_code_2(
    arguments: list[str], text: str, here: Path, simkernel: CommandLine
) -> None:
    Path("mine.py").write_text("", "utf-8")
    result = simkernel("check", *arguments)
    assert result.code == 2
    assert text in result.err


@pytest.mark.long
def test_exercise_of_a_folder(here: Path, simkernel: CommandLine) -> None:
    Path("sum").mkdir()
    for name, text in {
        "__init__": JUDGE,
        "start": "async def add(app, a, b): ...\n",
        "solution": ADD,
    }.items():
        Path("sum", f"{name}.py").write_text(text, "utf-8")
    assert simkernel("check", "--exercise", "./sum", "--start").code == 0
    assert Path("sum.py").read_text("utf-8").startswith('"""Add two numbers.')
    started = simkernel("check", "sum.py", "--exercise", "./sum", "--seeds", 2)
    assert started.code == 1
    assert "returns None: the sum is" in started.out
    assert simkernel("check", "sum/solution.py", "--exercise", "./sum", "--seeds", 2).code == 0


def test_error_of_a_judge_is_shown_with_its_line(here: Path, simkernel: CommandLine) -> None:
    Path("sum").mkdir()
    Path("sum", "__init__.py").write_text("x = y\n", "utf-8")
    Path("mine.py").write_text(ADD, "utf-8")
    result = simkernel("check", "mine.py", "--exercise", "./sum")
    assert result.code == 1
    assert "NameError: name 'y' is not defined" in result.err
    assert "line 1" in result.err
