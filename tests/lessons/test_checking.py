"""A student's file that cannot be graded gets a failed verdict with the reason and the line. `grade()` itself
raises no error.
"""

from __future__ import annotations

from pathlib import Path

import attrs
import pytest

from simkernel.engine import SimulationError
from simkernel.explore.faults import Fault
from simkernel.lessons.checking import Verdict, check, grade
from simkernel.testing.exercise import find

WATCH = "async def watch(app, table):\n"
BROKEN = {
    "syntax": ("def watch(:\n", "SyntaxError: invalid syntax", 1),
    "no function": (
        "x = 1\n",
        "the file defines no function watch: write `async def watch(app, table)`",
        None,
    ),
    "not async": (
        "\ndef watch(app, table):\n    pass\n",
        "watch is not an async function: write `async def",
        2,
    ),
    "not a function": ("watch = 5\n", "watch is not an async function", None),
    "signature": (
        "async def watch(app):\n    pass\n",
        "watch takes (app): write `async def watch(app, table)`",
        1,
    ),
    "name error": ("import math\nmath.floor(y)\n", "NameError: name 'y' is not defined", 2),
    "import": ("import nonsense_module\n", "ModuleNotFoundError: No module named 'nonsense_module'", 1),
    "exit": (
        f"import sys\n{WATCH}    sys.exit(3)\n",
        "the code ends the process: SystemExit(3).  Return instead",
        3,
    ),
    "exit at once": ("import sys\nsys.exit()\n", "the code ends the process: SystemExit()", 2),
    "base exception": (f"{WATCH}    raise KeyboardInterrupt\n", "KeyboardInterrupt()", 2),
    "recursion": (
        f"{WATCH}    await watch(app, table)\n",
        "RecursionError: maximum recursion depth exceeded",
        2,
    ),
    "null byte": ("x = 1\0\n", "source code string cannot contain null bytes", None),
    "endless sleep": (f"{WATCH}    while True:\n        await app.sleep(1)\n", "the run never ends", None),
    "no input": (f"{WATCH}    input()\n", "OSError", 2),
}
MODULES = {
    "syntax": ("def init(:\n", "SyntaxError", 1),
    "no module": ("x = 1\n", "attribute", None),
    "no init": (
        "from simkernel.driverapi.module import Module\nMODULE = Module(license='GPL')\n",
        "init must",
        None,
    ),
    "exit": (
        "from simkernel.driverapi.module import Module\nimport sys\nMODULE = Module(license='GPL')\n"
        "def init(this):\n    sys.exit(1)\n",
        "an oops in init: SystemExit(1)",
        5,
    ),
    "exit at once": ("from simkernel.driverapi.module import Module\nMODULE = exit(1)\n", "SystemExit", 2),
    "name error": ("from simkernel.driverapi.module import Module\nMODULE = Modul()\n", "NameError", 2),
}


def graded(name: str, text: str, folder: Path) -> Verdict:
    file = folder / "mine.py"
    file.write_text(text, "utf-8")
    return grade(find(name), file, folder, 2, 1)


@pytest.mark.parametrize("case", BROKEN)
def test_broken_program_fails_with_its_line(case: str, tmp_path: Path) -> None:
    text, reason, line = BROKEN[case]
    verdict = graded("hotplug", text, tmp_path)
    assert not verdict.passed
    assert reason in verdict.reason
    assert verdict.place == ("" if line is None else f"{tmp_path / 'mine.py'}:{line}")


@pytest.mark.parametrize("case", MODULES)
def test_broken_module_fails_with_its_line(case: str, tmp_path: Path) -> None:
    text, reason, line = MODULES[case]
    verdict = graded("attribute", text, tmp_path)
    assert not verdict.passed
    assert reason in verdict.reason
    assert verdict.place == ("" if line is None else f"{tmp_path / 'mine.py'}:{line}")


def test_faults_of_the_exercise_apply_to_every_run(tmp_path: Path) -> None:
    exercise = attrs.evolve(find("hotplug"), faults=Fault("netlink.deliver", nth=1, comm="watch"))
    verdict = grade(exercise, exercise.folder / "solution.py", tmp_path, 2, 1)
    assert verdict.reason == "OSError: ENOBUFS: No buffer space available"
    (disturbance,) = verdict.disturbs
    assert verdict.plan == disturbance.replace("netlink.deliver fails at hit ", "0,netlink.deliver#")


def test_module_of_an_exercise_has_a_name_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "__init__.py").write_text(
        "from simkernel.testing.exercise import exercise\n"
        "@exercise(module='mouse')\nasync def judge(app, sim, student): ...\n",
        "utf-8",
    )
    with pytest.raises(SimulationError, match="module='mouse' is a shipped module: use another name"):
        find(str(tmp_path))


def test_globals_of_a_program_are_new_in_each_run(tmp_path: Path) -> None:
    text = (find("hotplug").folder / "solution.py").read_text("utf-8")
    once = "seen = []\n" + text.replace(
        "    monitor", "    assert not seen\n    seen.append(1)\n    monitor", 1
    )
    assert graded("hotplug", once, tmp_path).passed


LOOPS = {
    "when it is imported": ("hotplug", "while True:\n    pass\n", "", (1, 2)),
    "when it is called": ("hotplug", f"{WATCH}    while True:\n        pass\n", "", (2, 3)),
    "that catches every exception": (
        "hotplug",
        f"{WATCH}    while 1:\n        try:\n            1 / 0\n        except:\n            pass\n",
        "",
        (2, 3, 4, 5, 6),
    ),
    "in a module": (
        "attribute",
        "    with lamp.lock:\n        lamp.b",
        "    while True:\n        lamp.b",
        (32, 33, 34),
    ),
}
"""For each case: the exercise; a part of its solution; the text that replaces this part; the line numbers of
the endless loop. If the third item is empty, the second item is the whole file.
"""


@pytest.mark.long
@pytest.mark.parametrize(
    "case", [next(iter(LOOPS)), *(pytest.param(each, marks=pytest.mark.long) for each in list(LOOPS)[1:])]
)
def test_endless_loop_is_stopped(case: str, tmp_path: Path) -> None:
    name, text, new, lines = LOOPS[case]
    if new:
        solution = (find(name).folder / "solution.py").read_text("utf-8")
        assert text in solution
        text = solution.replace(text, new)
    file = tmp_path / "mine.py"
    file.write_text(text, "utf-8")
    # a loop at import runs at once; each other loop runs only after a machine has booted
    deadline = 1 if case == "when it is imported" else 6
    verdict = check(file, name, seeds=2, seed=1, deadline=deadline)
    assert not verdict.passed
    assert verdict.reason == f"a run lasts longer than {deadline} s: the code loops and never waits"
    assert verdict.place in {f"{file}:{line}" for line in lines}, verdict.place
    assert verdict.plan == "0"


@pytest.mark.long
@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("os._exit(0)", "the code ends the process: SystemExit(0).  Return instead"),
        ("os.abort()", "the code ends the process with exit code -6"),
    ],
)
def test_end_of_the_process_is_a_failure(code: str, reason: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(f"import os\n{WATCH}    {code}\n", "utf-8")
    verdict = check(file, "hotplug", seeds=2, seed=1)
    assert not verdict.passed
    assert verdict.reason == reason
    assert verdict.plan == "0"
