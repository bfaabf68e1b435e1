"""A machine works only in the thread that made it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from simkernel import Machine, SimulationError, seconds
from simkernel.hardware import Camera


async def worker(app: Any) -> None:
    await app.sleep(2)


@pytest.fixture
def machine() -> Iterator[Machine]:
    with Machine(udev=False) as machine:
        yield machine


def raised_elsewhere(action: Callable[[], object]) -> BaseException | None:
    """Call `action` in another thread, and return the exception that it raises."""
    errors: list[BaseException | None] = [None]

    def act() -> None:
        try:
            action()
        except BaseException as error:  # noqa: BLE001
            errors[0] = error

    thread = threading.Thread(target=act)
    thread.start()
    thread.join(10)
    assert not thread.is_alive()
    return errors[0]


ACTIONS: dict[str, Callable[[Machine, Any, Any], object]] = {
    "spawn": lambda machine, facade, process: machine.spawn(worker),
    "plug": lambda machine, facade, process: machine.plug(Camera()),
    "run": lambda machine, facade, process: machine.run(),
    "at": lambda machine, facade, process: machine.at(seconds(1), print),
    "close": lambda machine, facade, process: machine.close(),
    "blocking": lambda machine, facade, process: machine.blocking(),
    "call": lambda machine, facade, process: facade.getpid(),
    "sleep": lambda machine, facade, process: facade.sleep(1),
    "exit": lambda machine, facade, process: facade.exit(),
    "kill": lambda machine, facade, process: process.kill(9),
}


@pytest.mark.parametrize("name", ACTIONS)
def test_another_thread_is_refused_and_nothing_happens(machine: Machine, name: str) -> None:
    facade, process = machine.blocking(), machine.spawn(worker)
    before = machine.statistics
    error = raised_elsewhere(lambda: ACTIONS[name](machine, facade, process))
    assert isinstance(error, SimulationError)
    assert "thread" in str(error)
    assert machine.statistics == before
    assert facade.getpid() > 0
    machine.run()
    assert process.exit_status == 0


@pytest.mark.parametrize("name", ["spawn", "plug"])
def test_another_thread_is_refused_while_a_program_runs(machine: Machine, name: str) -> None:
    errors = []

    async def program(app: Any) -> None:
        await app.sleep(1)
        errors.append(raised_elsewhere(lambda: ACTIONS[name](machine, None, None)))

    machine.spawn(program)
    machine.run()
    assert isinstance(errors[0], SimulationError)


def test_each_thread_can_make_machines() -> None:
    def whole_life() -> None:
        with Machine() as machine:
            machine.spawn(worker)
            machine.run()

    assert raised_elsewhere(whole_life) is None
