"""A run with an oops, or with a module that does not load, has exit code 1 and prints the fault."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import CommandLine

STORY = '''"""Loads modules."""

from simkernel import seconds
from simkernel.scenario import Run, ScenarioParameter, scenario


@scenario(
    ScenarioParameter("load", str, ""),
    ScenarioParameter("expect", str, ""),
    ScenarioParameter("fail", bool, False),
)
def loading(run: Run) -> None:
    run.expect_faults(*run["expect"].split())
    machine = run.machine()

    async def administrator(app):
        for name in run["load"].split():
            try:
                await app.modprobe(name)
                await app.sleep(0.01)
                await app.rmmod(name)
            except OSError as error:
                print(f"{name}: errno {error.errno}")
        if run["fail"]:
            raise ValueError("monsters")

    machine.spawn(administrator)
    machine.run(until=seconds(1))
    run.text("The end.")
'''

MODULE = """from simkernel.driverapi.module import Module
from simkernel.driverapi.timer import mod_timer, timer_setup
MODULE = Module(license="GPL")
"""

MODULES = {
    "good": "",
    "divides": "def init(this): return 1 // 0",
    "talks": "def init(this): raise ValueError('x ' * 500 + chr(10) + 'more')",
    "mute": "class Mute(Exception):\n    def __str__(self): 1 / 0\ndef init(this): raise Mute",
    "late": "def init(this): mod_timer(timer_setup(this, ring), 0)\ndef ring(): pass",
    "broken": "raise LookupError('where is it?')",
}


@pytest.fixture
def story(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write a scenario, and modules in the folder `mods` beside it."""
    monkeypatch.chdir(tmp_path)
    Path("mods").mkdir()
    Path("story.py").write_text(STORY)
    for name, body in MODULES.items():
        if name != "broken":
            Path("mods", f"{name}.py").write_text(MODULE + body)
    return Path("story.py")


RUN = ("run", "story.py", "--module-path", "mods", "--set")


@pytest.mark.usefixtures("story")
@pytest.mark.parametrize(
    ("name", "lines"),
    [
        (
            "divides",
            [
                "oops in divides, init: init at divides.py:4 [divides]",
                "    ZeroDivisionError: integer division or modulo by zero",
            ],
        ),
        ("mute", ["oops in mute, init: init at mute.py:6 [mute]", None]),
        ("talks", ["oops in talks, init: init at talks.py:4 [talks]", None]),
        ("late", ["oops in late, timer ring", None]),
    ],
)
def test_an_oops_is_reported_and_the_exit_code_is_1(
    simkernel: CommandLine, name: str, lines: list[str | None]
) -> None:
    done = simkernel(*RUN, f"load={name}")
    assert done.code == 1
    assert "The end." in done.out
    shown = done.err.splitlines()
    assert len(shown) == 2
    assert all(len(line) <= 80 for line in shown)
    assert all(line in (None, got) for line, got in zip(lines, shown, strict=True))


@pytest.mark.usefixtures("story")
def test_an_error_of_a_program_does_not_hide_the_oops(simkernel: CommandLine) -> None:
    done = simkernel(*RUN, "load=divides", "--set", "fail=yes")
    assert done.code == 1
    assert "ValueError: monsters" in done.err
    assert "oops in divides" in done.err


@pytest.mark.usefixtures("story")
def test_json_has_a_key_for_oopses_only_if_there_are_any(simkernel: CommandLine) -> None:
    done = simkernel(*RUN, "load=divides", "--json")
    assert done.code == 1
    assert json.loads(done.out[done.out.index("{") :])["oopses"] == [
        {
            "module": "divides",
            "where": "init",
            "error": "ZeroDivisionError",
            "trace": ["init at divides.py:4 [divides]"],
        }
    ]
    done = simkernel(*RUN, "load=good", "--json")
    assert (done.code, done.err) == (0, "")
    assert "oopses" not in json.loads(done.out)


@pytest.mark.usefixtures("story")
def test_of_many_oopses_the_first_are_printed(simkernel: CommandLine) -> None:
    names = [f"divides{number}" for number in range(7)]
    for name in names:
        Path("mods", f"{name}.py").write_text(MODULE + MODULES["divides"])
    done = simkernel(*RUN, f"load={' '.join(names)}")
    assert done.code == 1
    assert done.err.splitlines()[-1] == "and 2 more oopses: --log prints them"
    assert len(done.err.splitlines()) == 11


@pytest.mark.usefixtures("story")
@pytest.mark.parametrize(("load", "code"), [("good", 0), ("broken", 1)])
def test_a_module_that_does_not_load_is_a_failure_if_it_was_requested(
    simkernel: CommandLine, load: str, code: int
) -> None:
    Path("mods/broken.py").write_text(MODULE + MODULES["broken"])
    done = simkernel(*RUN, f"load={load}")
    assert done.code == code
    assert done.err.splitlines() == [
        "module broken: does not import: LookupError at broken.py:4",
        "    LookupError: where is it?",
    ]


@pytest.mark.usefixtures("story")
def test_a_scenario_may_expect_faults(simkernel: CommandLine) -> None:
    Path("mods/broken.py").write_text(MODULE + MODULES["broken"])
    done = simkernel(*RUN, "load=broken divides", "--set", "expect=broken divides")
    assert (done.code, done.err) == (0, "")
    assert simkernel(*RUN, "load=broken divides", "--set", "expect=broken").code == 1


def test_the_scenario_about_broken_modules_succeeds(simkernel: CommandLine) -> None:
    done = simkernel("run", "modules")
    assert (done.code, done.err) == (0, "")
