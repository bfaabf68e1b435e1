"""Scenarios as Python sees them: declared, run, and closed at the end."""

from __future__ import annotations

from typing import Any

import pytest

from simkernel import Machine, SimulationError, seconds
from simkernel.scenario import Parameter, Run, scenario


@scenario(Parameter("naps", int, 3, minimum=1), Parameter("name", str, "Bob"))
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
        scenario(Parameter("a", int, 1), Parameter("a", int, 2))
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

    with pytest.raises(SimulationError, match=r"takes its run and nothing else: def story\(run\)"):

        @scenario()
        def story() -> None:  # type: ignore[arg-type]
            pass
