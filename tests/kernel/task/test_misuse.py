"""Wrong uses of our own API: an error that says what to do."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from simkernel import Machine, SimulationError, seconds


def failure_of(program: Any, **how: Any) -> BaseException:
    """What the one program of a machine fails with."""
    with Machine(udev=False, **how) as machine:
        machine.spawn(program)
        with pytest.raises(ExceptionGroup) as group:
            machine.run(until=seconds(1))
        (error,) = group.value.exceptions
        return error


def test_a_call_awaited_twice() -> None:
    async def program(app: Any) -> None:
        call = app.getpid()
        await call
        await call

    error = failure_of(program)
    assert isinstance(error, SimulationError)
    assert "getpid" in str(error)
    assert "twice" in str(error)


def test_a_call_never_awaited() -> None:
    async def program(app: Any) -> None:
        app.sleep(1)
        await app.getpid()

    error = failure_of(program)
    assert isinstance(error, SimulationError)
    assert "never awaited" in str(error)
    assert "nanosleep" in str(error)
    assert "debug=True" in str(error)


def test_a_call_never_awaited_is_found_by_its_line() -> None:
    async def program(app: Any) -> None:
        await app.getpid()
        app.sleep(1)

    assert "test_misuse.py:" in str(failure_of(program, debug=True))


def test_a_foreign_event() -> None:
    async def program(app: Any) -> None:
        await asyncio.sleep(0)

    error = failure_of(program)
    assert isinstance(error, SimulationError)
    assert "not a system call" in str(error)


def test_a_foreign_event_can_be_caught_and_the_program_goes_on() -> None:
    went_on = []

    def program(app: Any) -> Any:
        try:
            yield 17
        except SimulationError:
            went_on.append((yield app.getpid()))

    with Machine(udev=False) as machine:
        machine.spawn(program)
        machine.run(until=seconds(1))
    assert went_on


def test_a_call_of_another_program() -> None:
    shared: list[Any] = []

    async def lender(app: Any) -> None:
        shared.append(app)
        await app.sleep(10)

    async def borrower(app: Any) -> None:
        await app.sleep(0.1)
        await shared[0].getpid()

    with Machine(udev=False) as machine:
        machine.spawn(lender)
        machine.spawn(borrower)
        with pytest.raises(ExceptionGroup) as group:
            machine.run(until=seconds(1))
        (error,) = group.value.exceptions
        assert "another task" in str(error)


@pytest.mark.parametrize("ns", [1.5, "1", None])
def test_float_time(ns: Any) -> None:
    async def program(app: Any) -> None:
        await app.compute(ns)

    assert "int of nanoseconds" in str(failure_of(program))


def test_running_the_machine_from_inside() -> None:
    with Machine(udev=False) as machine:

        async def program(app: Any) -> None:
            machine.run(until=seconds(5))

        machine.spawn(program)
        with pytest.raises(ExceptionGroup) as group:
            machine.run(until=seconds(1))
        assert "runs already" in str(group.value.exceptions[0])


def test_a_blocking_call_from_inside() -> None:
    with Machine(udev=False) as machine:
        outside = machine.blocking()

        async def program(app: Any) -> None:
            outside.getpid()

        machine.spawn(program)
        with pytest.raises(ExceptionGroup) as group:
            machine.run(until=seconds(1))
        assert "inside the simulation" in str(group.value.exceptions[0])


@pytest.mark.parametrize("how", [{"cpus": 0}, {"unmodelled": "ignore"}])
def test_a_machine_that_cannot_be(how: dict[str, Any]) -> None:
    with pytest.raises(SimulationError):
        Machine(**how)


def test_a_closed_machine_does_not_run() -> None:
    machine = Machine(udev=False)
    machine.close()
    with pytest.raises(SimulationError, match="closed"):
        machine.run(until=1)
