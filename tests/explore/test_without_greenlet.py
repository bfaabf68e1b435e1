"""Plans without greenlet: delays of tasks work, and a pause of module code raises an error with a hint."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import sys
if sys.argv[1] == "without":
    sys.modules["greenlet"] = None
from simkernel.explore.plan import Plan
from simkernel.explore.run import run
from simkernel.explore.targets import ScenarioTarget
from simkernel.scenario.loading import load
from simkernel.shipped import shipped

target = ScenarioTarget(load(shipped("scenarios") / "hello.py"))
profile = run(target, Plan(), record=True).places
first = 1 + next(at for at, place in enumerate(profile) if not place.startswith("step"))
last = run(target, Plan(), statements=False).count
for points in ({}, {at: 50_000 + at for at in range(last - 6, last)}):
    outcome = run(target, Plan(points=points), traced=True, statements=False)
    print(outcome.failure, outcome.digest, len(outcome.done))
print(run(target, Plan(points={first: 1000})).failure)
"""


def lines(*arguments: str) -> list[str]:
    command = [sys.executable, "-c", PROGRAM, *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.long
def test_delays_give_the_same_runs_and_a_pause_is_an_error() -> None:
    *delayed, pause = lines("without")
    *expected, paused = lines("with")
    assert delayed == expected
    assert delayed[0] != delayed[1]
    assert paused == "None"
    assert pause == "a pause needs greenlet, which is not installed: pip install 'simkernel[testing]'"
