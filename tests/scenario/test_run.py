"""Scenarios in Python: declared, run, and closed at the end."""

from __future__ import annotations

import tempfile
import traceback
from pathlib import Path
from typing import Any

import pytest

from simkernel import Machine, SimulationError, seconds
from simkernel.scenario import Goal, Run, ScenarioParameter, scenario


@scenario(ScenarioParameter("naps", int, 3, minimum=1), ScenarioParameter("name", str, "Bob"))
def sleepy(run: Run) -> None:
    awake: list[int] = []

    async def sleeper(app: Any) -> None:
        for _ in range(run["naps"]):
            await app.sleep(app.random.random())
            awake.append(app.monotonic_ns())

    machine = run.machine(udev=False)
    machine.spawn(sleeper)
    machine.run(until=seconds(10))
    run.metric("awake", awake)


def test_runs_with_its_defaults() -> None:
    run = sleepy.run()
    assert run.parameters == {"naps": 3, "name": "Bob"}
    assert len(run.metrics["awake"]) == 3
    assert run.now == seconds(10)
    assert run.events > 0


def test_seed_and_parameters_are_set() -> None:
    again = [sleepy.run(seed=5, parameters={"naps": "4"}).metrics["awake"] for _ in range(2)]
    assert len(again[0]) == 4
    assert again[0] == again[1]
    assert again[0] != sleepy.run(seed=6, parameters={"naps": 4}).metrics["awake"]


def test_unknown_parameter_is_refused_with_the_nearest() -> None:
    with pytest.raises(SimulationError, match="sleepy has no parameter 'nap': did you mean naps"):
        sleepy.run(parameters={"nap": 1})


def test_undeclared_parameter_is_an_error_of_the_scenario() -> None:
    @scenario()
    def story(run: Run) -> None:
        run["naps"]

    with pytest.raises(SimulationError, match="story declares no parameter 'naps'"):
        story.run()


def test_machine_is_attached_to_before_and_closed_after() -> None:
    seen: list[Machine] = []

    @scenario()
    def story(run: Run) -> None:
        machine = run.machine(udev=False, cpus=1)
        assert seen == [machine]

    Run(story).execute(seen.append)
    with pytest.raises(SimulationError, match="closed"):
        seen[0].run()


def test_machine_is_closed_when_the_scenario_fails() -> None:
    machines: list[Machine] = []

    @scenario()
    def story(run: Run) -> None:
        run.machine(udev=False)
        raise ValueError("oh")

    with pytest.raises(ValueError, match="oh"):
        Run(story).execute(machines.append)
    with pytest.raises(SimulationError, match="closed"):
        machines[0].run()


def test_a_run_has_one_machine() -> None:
    @scenario()
    def story(run: Run) -> None:
        run.machine(udev=False)
        run.machine(udev=False)

    with pytest.raises(SimulationError, match="one machine"):
        story.run()


def test_a_scenario_needs_no_machine() -> None:
    @scenario()
    def story(run: Run) -> None:
        run.text("nothing happened")

    run = story.run()
    assert (run.now, run.events, run.until) == (0, 0, None)
    assert not run.interrupt(KeyboardInterrupt())


def test_can_be_interrupted_between_two_events() -> None:
    reached: list[int] = []

    @scenario()
    def story(run: Run) -> None:
        machine = run.machine(udev=False)
        machine.at(seconds(1), lambda: run.interrupt(KeyboardInterrupt("enough")))
        machine.at(seconds(1), lambda: reached.append(1))
        try:
            machine.run(until=seconds(9))
        finally:
            reached.append(machine.now)

    with pytest.raises(KeyboardInterrupt, match="enough"):
        story.run()
    assert reached == [seconds(1)]


def test_declaration_is_checked() -> None:
    with pytest.raises(SimulationError, match=r"@scenario\(\)"):
        scenario(lambda run: None)  # type: ignore[arg-type]
    with pytest.raises(SimulationError, match="declared twice: a"):
        scenario(ScenarioParameter("a", int, 1), ScenarioParameter("a", int, 2))
    with pytest.raises(SimulationError, match="ordinary function"):

        @scenario()
        async def story(run: Run) -> None:  # type: ignore[arg-type]
            pass

    with pytest.raises(SimulationError, match="is a generator function, which does not run when called"):

        @scenario()
        def story(run: Run) -> Any:
            yield

    with pytest.raises(
        SimulationError, match="is an async generator function, which does not run when called"
    ):

        @scenario()
        async def story(run: Run) -> Any:
            yield

    with pytest.raises(SimulationError, match=r"must have one parameter, its run: def story\(run\)"):

        @scenario()
        def story() -> None:  # type: ignore[arg-type]
            pass


# -- functions for lessons --------------------------------------------------------


def test_goal_is_stated_once() -> None:
    @scenario()
    def story(run: Run) -> None:
        run.goal(False, "two bytes are missing")

    run = story.run()
    assert str(run.outcome) == "Goal not reached yet: two bytes are missing"
    run.outcome = Goal(True, "all bytes are there")
    assert str(run.outcome) == "Goal reached: all bytes are there"
    with pytest.raises(SimulationError, match="goal is set twice: 'all bytes are there', then 'again'"):
        run.goal(True, "again")


def test_at_most_60_flows_are_followed() -> None:
    @scenario()
    def story(run: Run) -> None:
        for flow in range(100):
            run.follow(f"flow {flow}", flow, chosen=flow == 3)

    run = Run(story)
    with pytest.raises(SimulationError, match="at most 60 flows; 'flow 60' is one more"):
        run.execute()
    assert [each.flow for each in run.followed] == list(range(60))
    assert [each.flow for each in run.followed if each.chosen] == [3]


@scenario(ScenarioParameter("program", str, "def answer():\n    return 1 / zero\nzero = 2\n"))
def written(run: Run) -> None:
    run.metric("answer", run.source("program")["answer"]())


def test_source_executes_the_code_of_a_parameter_as_a_file_of_that_name() -> None:
    assert written.run().metrics == {"answer": 0.5}
    with pytest.raises(ZeroDivisionError) as caught:
        written.run(parameters={"program": "def answer():\n    return 1 / 0\n"})
    last = traceback.extract_tb(caught.value.__traceback__)[-1]
    assert (last.filename, last.lineno, last.line) == ("program.py", 2, "return 1 / 0")
    with pytest.raises(SyntaxError) as wrong:
        written.run(parameters={"program": "def ("})
    assert wrong.value.filename == "program.py"


DRIVER = """
from simkernel.driverapi.module import Module, ThisModule
from simkernel.driverapi.printk import pr_info

MODULE = Module(license="GPL")


def init(this: ThisModule) -> None:
    pr_info(this, "loaded")
"""


@scenario(
    ScenarioParameter("code", str, DRIVER),
    ScenarioParameter("module", str, "mine"),
    ScenarioParameter("late", bool, False),
)
def driven(run: Run) -> None:
    async def loader(app: Any) -> None:
        await app.modprobe(run["module"])

    if run["late"]:
        run.machine(udev=False)
    run.driver("code", run["module"])
    machine = run.machine(udev=False)
    machine.spawn(loader)
    machine.run()
    run.metric("log", machine.log.lines()[-1].partition("] ")[2])


def test_driver_is_found_by_its_name_and_removed_after_the_run() -> None:
    before = set(Path(tempfile.gettempdir()).glob("simkernel-*/mine.py"))
    run = driven.run()
    assert run.metrics == {"log": "mine: loaded"}
    assert set(Path(tempfile.gettempdir()).glob("simkernel-*/mine.py")) <= before


def test_driver_is_refused_after_the_machine_and_for_a_name_that_is_a_path() -> None:
    with pytest.raises(SimulationError, match="before machine"):
        driven.run(parameters={"late": True})
    with pytest.raises(SimulationError, match=r"'\.\./mine' is not a module name"):
        driven.run(parameters={"module": "../mine"})
