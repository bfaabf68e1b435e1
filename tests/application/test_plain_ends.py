"""Ends of plain functions: exit statuses, errors, kills, and greenlets that the garbage collector frees."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from typing import Any

import greenlet
import pytest

from simkernel import Blocking, Machine, millis, seconds
from simkernel.uapi.signal import SIGKILL


@pytest.fixture
def machine() -> Iterator[Machine]:
    """Return a machine without udevd."""
    with Machine(udev=False) as machine:
        yield machine


def leave(app: Blocking) -> None:
    """End the program with exit status 4."""
    app.exit(4)


def raises(kind: type[BaseException], *arguments: Any) -> Callable[[Blocking], None]:
    """Return a program that sleeps for a second and then raises an exception of the class `kind`."""

    def raising(app: Blocking) -> None:
        app.sleep(1)
        raise kind(*arguments)

    return raising


@pytest.mark.parametrize(
    ("program", "status"),
    [
        (lambda app: None, 0),
        (lambda app: 17, 0),
        (leave, 4 << 8),
        (raises(SystemExit), 0),
        (raises(SystemExit, 3), 3 << 8),
        (raises(SystemExit, "text"), 1 << 8),
        (raises(greenlet.GreenletExit), 0),
    ],
)
def test_each_end_has_its_exit_status(
    machine: Machine, program: Callable[[Blocking], Any], status: int
) -> None:
    process = machine.spawn(program)
    machine.run()
    assert (process.exit_status, process.failure) == (status, None)


@pytest.mark.parametrize("kind", [ValueError, RecursionError, StopIteration, OSError])
def test_an_error_ends_only_its_program(machine: Machine, kind: type[Exception]) -> None:
    other = machine.spawn(lambda app: app.sleep(2))
    process = machine.spawn(raises(kind, "mine"))
    with pytest.raises(ExceptionGroup, match="raising") as raised:
        machine.run()
    (failure,) = raised.value.exceptions
    assert isinstance(failure, RuntimeError if kind is StopIteration else kind)
    assert process.exit_status == 1 << 8 and other.exit_status == 0


def test_a_traceback_shows_the_function_and_its_call(machine: Machine) -> None:
    def outer(app: Blocking) -> None:
        app.open("/missing", 0)

    machine.spawn(outer)
    with pytest.raises(ExceptionGroup) as raised:
        machine.run()
    names = []
    trace = raised.value.exceptions[0].__traceback__
    while trace is not None:
        names.append(trace.tb_frame.f_code.co_name)
        trace = trace.tb_next
    assert "outer" in names and len(names) < 16


def test_deep_recursion_ends_only_its_program(machine: Machine) -> None:
    def deeper(app: Blocking) -> None:
        deeper(app)

    process = machine.spawn(deeper)
    other = machine.spawn(lambda app: app.sleep(1))
    with pytest.raises(ExceptionGroup, match="deeper"):
        machine.run()
    assert isinstance(process.failure, RecursionError) and other.exit_status == 0


@pytest.mark.parametrize("end", ["close", "kill", "leader"])
def test_a_sleeping_function_ends_and_cleans_up(machine: Machine, end: str) -> None:
    def sleeps(app: Blocking) -> None:
        try:
            app.sleep(3600)
        except GeneratorExit:
            steps.append("exit")
            raise
        finally:
            steps.append("finally")
            app.sleep(1)
            steps.append("never")

    def leads(app: Blocking) -> None:
        app.thread(sleeps)
        app.sleep(1)

    steps: list[str] = []
    process = machine.spawn(leads if end == "leader" else sleeps)
    machine.run(until=millis(500))
    if end == "close":
        machine.close()
    elif end == "kill":
        process.kill(SIGKILL)
    if end != "close":
        machine.run(until=seconds(2))
    assert steps == ["exit", "finally"]
    assert not process.alive


def test_a_function_that_has_not_begun_never_runs(machine: Machine) -> None:
    ran: list[object] = []
    machine.spawn(ran.append)
    machine.close()
    assert not ran


def test_garbage_collection_ends_no_function() -> None:
    def sleeps(app: Blocking) -> None:
        try:
            app.sleep(1)
        finally:
            ended.append(app.monotonic_ns())

    ended: list[int] = []
    # After this loop over two machines, `machine` is the second one. No variable refers to the first one,
    # which is not closed.
    for machine in (Machine(), Machine()):
        machine.spawn(sleeps)
        machine.run(until=millis(1))
    gc.collect()
    assert not ended
    machine.close()
    assert len(ended) == 1


def test_a_function_that_catches_generator_exit_is_abandoned(machine: Machine) -> None:
    def stubborn(app: Blocking) -> None:
        while True:
            try:
                app.sleep(1)
            except:  # noqa: E722
                caught.append(1)

    caught: list[int] = []
    process = machine.spawn(stubborn)
    with pytest.raises(ExceptionGroup, match="stubborn was abandoned, since it caught GeneratorExit"):
        machine.run(until=millis(1))
        machine.close()
        machine.raise_failures()
    count = len(caught)
    gc.collect()
    assert not process.alive and 1 < len(caught) == count
