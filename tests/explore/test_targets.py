"""A search can use a scenario as its target. The target fails if the scenario raises an exception, or if one
of its modules causes an unexpected oops or does not load.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from simkernel.explore.plan import Plan
from simkernel.explore.run import Outcome, run
from simkernel.explore.targets import ScenarioTarget
from simkernel.scenario import Run, ScenarioParameter, scenario

MODULE = """
from simkernel.driverapi.module import Module

MODULE = Module(license="GPL")


def init(this):
    {body}
"""


@scenario(
    ScenarioParameter("module", str, ""),
    ScenarioParameter("naps", int, 2),
    ScenarioParameter("expected", bool, False),
)
def story(run: Run) -> None:
    """Load a module and sleep."""

    async def program(app: Any) -> None:
        if run["module"]:
            try:
                await app.modprobe(run["module"])
            except OSError as error:
                run.text(str(error))
        for _ in range(run["naps"]):
            await app.sleep(0.1)
        if run["naps"] == 3:
            raise ValueError("three naps")

    if run["expected"]:
        run.expect_faults(run["module"])
    machine = run.machine(udev=False)
    SEEDS.append(run.seed)
    machine.spawn(program)
    machine.run()


SEEDS: list[int] = []


def outcome(plan: str = "7", folder: Path | None = None, **parameters: Any) -> Outcome:
    module_path = () if folder is None else (folder,)
    return run(ScenarioTarget(story, parameters, module_path), Plan.parse(plan))


def test_a_scenario_holds_and_has_points_after_its_boot() -> None:
    result = outcome()
    assert result.failure is None
    assert 0 < result.start < result.count
    assert SEEDS[-1] == 7


def test_a_plan_delays_its_programs() -> None:
    at = outcome().start + 1
    assert [each.ns for each in outcome(f"7,{at}+1000").done] == [1000]


def test_an_exception_is_a_failure() -> None:
    assert "three naps" in str(outcome(naps=3).failure)


@pytest.mark.parametrize(
    ("body", "text"), [("raise KeyError('here')", "an oops in faulty"), ("syntax error", "faulty")]
)
def test_a_fault_of_a_module_is_a_failure_unless_it_is_expected(tmp_path: Path, body: str, text: str) -> None:
    (tmp_path / "faulty.py").write_text(MODULE.format(body=body))
    failure = outcome(folder=tmp_path, module="faulty").failure
    assert isinstance(failure, AssertionError)
    assert text in str(failure)
    assert outcome(folder=tmp_path, module="faulty", expected=True).failure is None


def test_faults_and_cpus_of_a_plan_reach_the_machine(tmp_path: Path) -> None:
    (tmp_path / "fine.py").write_text(MODULE.format(body="pass"))
    failed = outcome("7,module.init#1,cpus=2", tmp_path, module="fine")
    assert failed.failure is None
    assert failed.plan.faults == (("module.init", 1),)
    assert not failed.stale
