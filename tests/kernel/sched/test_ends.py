"""A program may raise an exception at any time. The exception ends only the task of this program."""

from __future__ import annotations

import asyncio
import gc
import inspect
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from simkernel import Machine, SimulationError, millis, seconds
from simkernel.kernel.sched.wait import Blocked, WaitQueue
from simkernel.machine import Process
from simkernel.testing import left_behind
from simkernel.uapi.netlink import NETLINK_USERSOCK
from simkernel.uapi.signal import SIG_IGN, SIGCHLD, SIGINT, SIGKILL, SIGTERM
from simkernel.uapi.socket import AF_NETLINK, SOCK_RAW

PORT = 4711


class OwnError(BaseException):
    """A BaseException that a program defines."""


RAISED: tuple[Callable[[], BaseException], ...] = (
    lambda: ValueError("wrong"),
    asyncio.CancelledError,
    GeneratorExit,
    OwnError,
    MemoryError,
    RecursionError,
    lambda: pytest.skip.Exception("skipped"),
    lambda: pytest.fail.Exception("failed"),
)
NAMES = tuple(type(make()).__name__ for make in RAISED)
raised = pytest.mark.parametrize("make", RAISED, ids=NAMES)


@pytest.fixture
def machine() -> Iterator[Machine]:
    """Yield a machine. After the test, the machine must close without an error."""
    with Machine(udev=False) as machine:
        yield machine


async def bound(app: Any) -> None:
    sock = await app.socket(AF_NETLINK, SOCK_RAW, NETLINK_USERSOCK)
    await sock.bind((PORT, 0))


async def worker(app: Any) -> None:
    await app.sleep(2)


def run_and_fail(machine: Machine, until: int = seconds(10)) -> list[BaseException]:
    """Run the machine to the end, and return the exceptions that the run raises."""
    try:
        machine.run(until=until)
    except BaseExceptionGroup as group:
        assert machine.now == until
        return list(group.exceptions)
    except (pytest.skip.Exception, pytest.fail.Exception) as outcome:
        return [outcome]
    return []


def check_over(machine: Machine, program: Process, other: Process) -> None:
    assert not program.alive
    assert other.exit_status == 0
    assert left_behind(machine) == []
    machine.spawn(bound)  # another socket can bind the ended program's address
    machine.run()


# -- exceptions of programs --------------------------------------------------------


@raised
def test_an_exception_of_a_program_ends_only_that_program(
    machine: Machine, make: Callable[[], BaseException]
) -> None:
    async def program(app: Any) -> None:
        await bound(app)
        await app.sleep(1)
        raise make()

    one, other = machine.spawn(program), machine.spawn(worker)
    failures = run_and_fail(machine)
    assert [type(each) for each in failures] == [type(make())]
    assert type(one.failure) is type(make())
    assert one.exit_status == 1 << 8
    check_over(machine, one, other)


@raised
def test_an_exception_of_a_signal_handler_is_raised_in_its_program(
    machine: Machine, make: Callable[[], BaseException]
) -> None:
    seen: list[type] = []

    def handler(number: int) -> None:
        raise make()

    async def program(app: Any) -> None:
        await bound(app)
        await app.signal(SIGTERM, handler)
        try:
            await app.sleep(5)
        except BaseException as error:
            seen.append(type(error))
            raise

    one, other = machine.spawn(program), machine.spawn(worker)
    machine.at(seconds(1), one.kill, SIGTERM)
    failures = run_and_fail(machine)
    assert seen == [type(each) for each in failures] == [type(make())]
    check_over(machine, one, other)


@raised
def test_an_exception_of_a_killed_program_is_its_failure(
    machine: Machine, make: Callable[[], BaseException]
) -> None:
    async def program(app: Any) -> None:
        await bound(app)
        try:
            await app.sleep(5)
        finally:
            raise make()

    one, other = machine.spawn(program), machine.spawn(worker)
    machine.at(seconds(1), one.kill, SIGKILL)
    failures = run_and_fail(machine)
    if make is not GeneratorExit:  # a GeneratorExit ends the program, and the run does not raise it
        assert [type(each) for each in failures] == [type(make())]
    assert one.exit_status == SIGKILL
    check_over(machine, one, other)


@raised
def test_the_with_statement_raises_an_exception_of_a_program_at_close(
    make: Callable[[], BaseException],
) -> None:
    async def program(app: Any) -> None:
        try:
            await app.sleep(5)
        finally:
            raise make()

    caught: list[BaseException] = []
    try:
        with Machine(udev=False) as machine:
            one, other = machine.spawn(program), machine.spawn(worker)
            machine.run(until=seconds(1))
    except BaseExceptionGroup as group:
        caught += group.exceptions
    except (pytest.skip.Exception, pytest.fail.Exception) as outcome:
        caught.append(outcome)
    if make is not GeneratorExit:
        assert [type(each) for each in caught] == [type(make())]
    assert not one.alive
    assert not other.alive


def test_a_parent_is_notified_of_a_child_that_a_base_exception_ended(machine: Machine) -> None:
    waited = []

    async def child(app: Any) -> None:
        raise OwnError

    async def parent(app: Any) -> None:
        await app.spawn(child)
        waited.append((await app.wait())[1])

    machine.spawn(parent)
    assert [type(each) for each in run_and_fail(machine)] == [OwnError]
    assert waited == [1 << 8]


# -- pytest's outcomes and Ctrl-C ------------------------------------------------------


@pytest.mark.parametrize("outcome", [pytest.skip, pytest.fail])
def test_a_lone_outcome_of_pytest_reaches_pytest(machine: Machine, outcome: Any) -> None:
    async def program(app: Any) -> None:
        outcome("in a program")

    machine.spawn(program)
    with pytest.raises(outcome.Exception, match="in a program"):
        machine.run()


def test_a_skip_beside_a_failure_is_a_failure(machine: Machine) -> None:
    async def skips(app: Any) -> None:
        pytest.skip("in a program")

    async def fails(app: Any) -> None:
        raise ValueError("wrong")

    machine.spawn(skips)
    machine.spawn(fails)
    with pytest.raises(BaseExceptionGroup, match=r"skips/.*fails/.*wrong"):
        machine.run()


def test_a_keyboard_interrupt_ends_its_program_and_leaves_the_run(machine: Machine) -> None:
    async def program(app: Any) -> None:
        await bound(app)
        await app.sleep(1)
        raise KeyboardInterrupt

    one, other = machine.spawn(program), machine.spawn(worker)
    with pytest.raises(KeyboardInterrupt):
        machine.run()
    assert machine.now < seconds(2)
    assert one.exit_status == SIGINT
    assert other.alive
    machine.run()
    check_over(machine, one, other)


def test_a_keyboard_interrupt_inside_the_kernel_ends_its_program(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def program(app: Any) -> None:
        await bound(app)
        await app.sleep(1)
        await app.getuid()

    def interrupted(task: Any) -> int:
        raise KeyboardInterrupt

    one, other = machine.spawn(program), machine.spawn(worker)
    machine.kernel.processes.runner._handlers["getuid"] = interrupted
    with pytest.raises(KeyboardInterrupt):
        machine.run()
    assert one.exit_status == SIGINT
    machine.run()
    check_over(machine, one, other)


def test_a_keyboard_interrupt_as_the_machine_is_closed_leaves_when_every_program_has_ended() -> None:
    async def program(app: Any) -> None:
        try:
            await app.sleep(5)
        finally:
            raise KeyboardInterrupt

    machine = Machine(udev=False)
    machine.spawn(program)
    other = machine.spawn(worker)
    machine.run(until=seconds(1))
    with pytest.raises(KeyboardInterrupt):
        machine.close()
    assert not other.alive


# -- SystemExit -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "status", "text"),
    [
        (None, 0, ""),
        (0, 0, ""),
        (3, 3, ""),
        (True, 1, ""),
        (-1, 255, ""),
        (256, 0, ""),
        ("usage: x", 1, "usage: x\n"),
    ],
)
@pytest.mark.parametrize("where", ["program", "handler"])
def test_system_exit_is_the_exit_status_as_python_has_it(
    machine: Machine, capsys: pytest.CaptureFixture[str], code: Any, status: int, text: str, where: str
) -> None:
    async def program(app: Any) -> None:
        await bound(app)
        await app.signal(SIGTERM, lambda _: sys.exit(code))
        await app.sleep(1 if where == "program" else 5)
        sys.exit(code)

    one, other = machine.spawn(program), machine.spawn(worker)
    if where == "handler":
        machine.at(millis(1500), one.kill, SIGTERM)
    machine.run()
    assert one.exit_status is not None
    assert os.waitstatus_to_exitcode(one.exit_status) == status
    assert one.failure is None
    assert capsys.readouterr().err == text
    check_over(machine, one, other)


# -- programs that catch GeneratorExit ----------------------------------------------------


async def loops(app: Any) -> None:
    """Catch all exceptions in a loop, a common mistake."""
    await bound(app)
    while True:
        try:
            await app.sleep(1)
        except:  # noqa: E722
            continue


async def loops_below(app: Any) -> None:
    await loops(app)


async def loops_on_two_levels(app: Any) -> None:
    while True:
        try:
            await loops(app)
        except BaseException:  # noqa: BLE001
            continue


def loops_by_yield(app: Any) -> Any:
    sock = yield app.socket(AF_NETLINK, SOCK_RAW, NETLINK_USERSOCK)
    yield sock.bind((PORT, 0))
    while True:
        try:
            yield app.sleep(1)
        except:  # noqa: E722
            continue


def loops_below_by_yield(app: Any) -> Any:
    yield from loops_by_yield(app)


LOOPS = (loops, loops_below, loops_on_two_levels, loops_by_yield, loops_below_by_yield)


@pytest.mark.parametrize("how", ["kill", "close"])
@pytest.mark.parametrize("program", LOOPS)
def test_a_program_that_catches_generator_exit_is_abandoned(
    monkeypatch: pytest.MonkeyPatch, program: Callable[[Any], Any], how: str
) -> None:
    unraisable: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", unraisable.append)
    machine = Machine(udev=False)
    one, other = machine.spawn(program), machine.spawn(worker)
    machine.run(until=seconds(1))
    if how == "kill":
        one.kill(SIGKILL)
        failures = run_and_fail(machine)
        assert one.exit_status == SIGKILL
        check_over(machine, one, other)
        machine.close()
    else:
        machine.close()
        with pytest.raises(ExceptionGroup) as group:
            machine.raise_failures()
        failures = list(group.value.exceptions)
    (error,) = failures
    assert isinstance(error, SimulationError)
    assert "abandoned" in str(error)
    assert one.failure is error
    gc.collect()
    assert not unraisable


def test_an_abandoned_program_never_runs_again() -> None:
    turns = []

    async def program(app: Any) -> None:
        while True:
            try:
                turns.append(await app.sleep(0.1))
            except BaseException:  # noqa: BLE001
                turns.append(None)

    machine = Machine(udev=False)
    one = machine.spawn(program)
    machine.at(seconds(1), one.kill, SIGKILL)
    run_and_fail(machine)
    count = len(turns)
    machine.run(until=seconds(20))
    machine.close()
    gc.collect()
    assert len(turns) == count


def test_calls_of_a_program_that_is_being_ended_have_no_effect(machine: Machine) -> None:
    async def cleans(app: Any) -> None:
        try:
            await app.sleep(5)
        finally:
            await app.sleep(1)

    async def program(app: Any) -> None:
        await cleans(app)

    one = machine.spawn(program)
    machine.at(seconds(1), one.kill, SIGKILL)
    machine.run()
    assert one.exit_status == SIGKILL


# -- a parent that ignores SIGCHLD ----------------------------------------------------------


@pytest.mark.parametrize("which", ["wait", "waitpid"])
def test_a_parent_that_ignores_sigchld_waits_till_its_children_have_ended(
    machine: Machine, which: str
) -> None:
    ended = []

    async def child(app: Any, after: float) -> None:
        await app.sleep(after)

    async def parent(app: Any) -> None:
        await app.signal(SIGCHLD, SIG_IGN)
        pid = await app.spawn(child, 1)
        await app.spawn(child, 2)
        with pytest.raises(ChildProcessError):
            await (app.wait() if which == "wait" else app.waitpid(pid))
        ended.append(app.monotonic_ns())

    machine.spawn(parent)
    machine.run()
    assert ended[0] // seconds(1) == (2 if which == "wait" else 1)


def test_a_call_that_runs_out_of_memory_as_it_is_woken_releases_its_file(machine: Machine) -> None:
    queue = WaitQueue("memory")
    seen = []

    def exhausted() -> None:
        raise MemoryError

    def waits(task: Any) -> Blocked:
        return Blocked(queue, exhausted, task.files.get(3), None, False)

    async def program(app: Any) -> None:
        await bound(app)
        try:
            await app.getuid()
        except MemoryError:
            seen.append(await app.getpid())

    machine.kernel.processes.runner._handlers["getuid"] = waits
    one = machine.spawn(program)
    machine.at(seconds(1), queue.wake_up)
    other = machine.spawn(worker)
    machine.run()
    assert seen == [one.pid]
    check_over(machine, one, other)


# -- deep recursion and memory ------------------------------------------------------------


@pytest.mark.parametrize("cpus", [None, 1])
@pytest.mark.parametrize("call", ["getpid", "sleep", "recv"])
def test_a_program_may_use_up_the_stack_at_any_depth(cpus: int | None, call: str) -> None:
    """If recursion has used up Python's stack, a call fails with RecursionError. The program continues."""
    deepest = sys.getrecursionlimit() - len(inspect.stack(0))
    outcomes = set()

    async def deep(app: Any, sock: Any, levels: int) -> None:
        if levels:
            await deep(app, sock, levels - 1)
        elif call == "sleep":
            await app.sleep(0.001)
        elif call == "recv":
            await sock.recv(10)
        else:
            await app.getpid()

    async def program(app: Any, levels: int) -> None:
        sock = await app.socket(AF_NETLINK, SOCK_RAW, NETLINK_USERSOCK)
        await sock.settimeout(0.001)
        try:
            await deep(app, sock, levels)
            outcomes.add("done")
        except RecursionError:
            outcomes.add("deep")
        except TimeoutError:
            outcomes.add("done")
        before = app.monotonic_ns()
        await app.sleep(1)
        assert app.monotonic_ns() >= before + seconds(1)

    with Machine(udev=False, cpus=cpus) as machine:
        for levels in range(deepest - 60, deepest):
            one = machine.spawn(program, levels)
            other = machine.spawn(worker)
            for error in run_and_fail(machine, machine.now + seconds(10)):
                assert "never awaited" in str(error)  # RecursionError occurred before the call began
            assert one.exit_status == other.exit_status == 0
    assert outcomes == {"done", "deep"}
