"""Processes as programs see them: children, inherited files, exits and waits."""

from __future__ import annotations

import errno
import os
from typing import Any

import pytest

from simkernel import Machine, NotModelled, SimulationError, seconds
from simkernel.application.program import Image
from simkernel.testing import left_behind
from simkernel.uapi.netlink import NETLINK_USERSOCK
from simkernel.uapi.resource import RLIMIT_NOFILE
from simkernel.uapi.signal import SIGCHLD, SIGKILL, SIGSTOP, SIGTERM, SIGUSR1
from simkernel.uapi.socket import AF_NETLINK, SOCK_RAW
from simkernel.uapi.wait import WNOHANG


def run(program: Any, *, until: int | None = seconds(10), **how: Any) -> Machine:
    """Return a machine in which `program` has run."""
    machine = Machine(udev=False)
    machine.spawn(program, **how)
    machine.run(until=until)
    machine.close()
    return machine


def test_a_child_knows_its_parent_and_is_waited_for() -> None:
    seen: dict[str, Any] = {}

    async def child(app: Any, code: int) -> None:
        seen["ppid"] = await app.getppid()
        seen["pid"] = await app.getpid()
        await app.exit(code)

    async def parent(app: Any) -> None:
        seen["self"] = await app.getpid()
        seen["child"] = await app.spawn(child, 7)
        seen["waited"] = await app.wait()
        with pytest.raises(ChildProcessError):
            await app.wait()

    run(parent)
    assert seen["ppid"] == seen["self"]
    assert seen["waited"][0] == seen["child"] == seen["pid"]
    assert os.waitstatus_to_exitcode(seen["waited"][1]) == 7


def test_fork_keeps_descriptors_that_exec_closes() -> None:
    kept: list[bool] = []

    async def child(app: Any, fd: int) -> None:
        try:
            kept.append(bool(await app.fstat(fd)))
        except OSError as error:
            kept.append(error.errno != errno.EBADF)

    async def parent(app: Any) -> None:
        fd = await app.open("/dev/null", os.O_CLOEXEC)
        for call in ("fork", "fork_exec"):
            await app.call(call, Image(app._system, child, (fd,), {}, "child"))
            await app.wait()

    run(parent)
    assert kept == [True, False]


def test_wnohang_does_not_wait() -> None:
    seen = []

    async def child(app: Any) -> None:
        await app.sleep(1)

    async def parent(app: Any) -> None:
        pid = await app.spawn(child)
        seen.append(await app.waitpid(pid, WNOHANG))
        seen.append(await app.waitpid(pid) == (pid, 0))

    run(parent)
    assert seen == [(0, 0), True]


def test_children_inherit_open_files_and_closing_is_each_ones_own() -> None:
    got = []

    async def child(app: Any, fd: int) -> None:
        sock = await app.socket(AF_NETLINK, SOCK_RAW, NETLINK_USERSOCK, fileno=fd)
        got.append(await sock.getsockname())
        await sock.close()

    async def parent(app: Any) -> None:
        sock = await app.socket(AF_NETLINK, SOCK_RAW, NETLINK_USERSOCK)
        await sock.bind((77, 0))
        await app.spawn(child, sock.fileno())
        await app.wait()
        got.append(await sock.getsockname())

    run(parent)
    assert got == [(77, 0), (77, 0)]


@pytest.mark.parametrize("cpus", [None, 1])
@pytest.mark.parametrize("how", ["exit", "return", "raise"])
def test_an_ended_task_is_not_current(how: str, cpus: int | None) -> None:
    async def program(app: Any) -> None:
        await app.getpid()
        if how == "exit":
            await app.exit(3)
        elif how == "raise":
            raise SystemExit

    seen: list[Any] = []
    with Machine(udev=False, cpus=cpus) as machine:
        machine.spawn(program)
        machine.engine.call_at(seconds(1), lambda: seen.append(machine.kernel.current()))
        machine.run(until=seconds(2))
    assert seen == [None]


def test_exit_closes_everything() -> None:
    async def holder(app: Any) -> None:
        sock = await app.socket(AF_NETLINK, SOCK_RAW, NETLINK_USERSOCK)
        await sock.bind((77, 0))

    async def parent(app: Any) -> None:
        await app.spawn(holder)
        await app.wait()
        sock = await app.socket(AF_NETLINK, SOCK_RAW, NETLINK_USERSOCK)
        await sock.bind((77, 0))

    run(parent)


def test_a_limit_on_descriptors_is_emfile() -> None:
    seen = []

    async def program(app: Any) -> None:
        await app.setrlimit(RLIMIT_NOFILE, (5, 5))
        for _ in range(3):
            try:
                sock = await app.socket(AF_NETLINK, SOCK_RAW, NETLINK_USERSOCK)
                seen.append(sock.fileno())
            except OSError as error:
                seen.append(error.errno)

    run(program)
    assert seen == [3, 4, errno.EMFILE]


def test_a_signal_interrupts_a_sleep_and_runs_its_handler() -> None:
    seen: list[Any] = []

    async def sleeper(app: Any) -> None:
        await app.signal(SIGUSR1, lambda number: seen.append(number))
        try:
            await app.sleep(100)
        except InterruptedError as error:
            seen.append(error.errno)
        seen.append(app.monotonic_ns() < seconds(2))

    async def parent(app: Any) -> None:
        pid = await app.spawn(sleeper)
        await app.sleep(1)
        await app.kill(pid, SIGUSR1)
        await app.wait()

    run(parent)
    assert seen == [SIGUSR1, errno.EINTR, True]


@pytest.mark.parametrize("number", [SIGTERM, SIGKILL])
def test_a_signal_without_a_handler_ends_the_process(number: int) -> None:
    seen: list[Any] = []

    async def sleeper(app: Any) -> None:
        try:
            await app.sleep(100)
        finally:
            seen.append("closed")

    async def parent(app: Any) -> None:
        pid = await app.spawn(sleeper)
        await app.sleep(1)
        await app.kill(pid, number)
        seen.append(os.waitstatus_to_exitcode((await app.wait())[1]))

    run(parent)
    assert seen == ["closed", -number]


def test_a_process_that_computes_is_killed_too() -> None:
    seen: list[Any] = []

    async def busy(app: Any) -> None:
        await app.compute(seconds(100))

    async def parent(app: Any) -> None:
        pid = await app.spawn(busy)
        await app.sleep(1)
        await app.kill(pid, SIGTERM)
        seen.append(await app.wait() == (pid, SIGTERM))
        seen.append(app.monotonic_ns() < seconds(1.1))

    run(parent)
    assert seen == [True, True]


@pytest.mark.parametrize(("unmodelled", "expected"), [("raise", NotModelled), ("errno", OSError)])
def test_stopping_a_process_is_not_modelled_and_says_so(unmodelled: str, expected: type[Exception]) -> None:
    seen = []

    async def program(app: Any) -> None:
        pid = await app.spawn(idle)
        try:
            await app.kill(pid, SIGSTOP)
        except (NotModelled, OSError) as error:
            seen.append(type(error))

    async def idle(app: Any) -> None:
        await app.sleep(1)

    with Machine(udev=False, unmodelled=unmodelled) as machine:
        machine.spawn(program)
        machine.run(until=seconds(2))
        assert any("stopping a process" in line for line in machine.log.lines()) == (expected is OSError)
    assert seen == [expected]


@pytest.mark.parametrize(
    ("call", "arguments", "number"),
    [
        ("kill", (0, SIGTERM), errno.ESRCH),
        ("kill", (-1, SIGTERM), errno.ESRCH),
        ("waitpid", (0,), errno.ECHILD),
        ("waitpid", (-7,), errno.ECHILD),
    ],
)
def test_process_groups_are_not_modelled_and_that_is_said(
    call: str, arguments: tuple[int, ...], number: int
) -> None:
    with Machine(udev=False) as machine:
        process = machine.blocking()
        with pytest.raises(OSError) as raised:
            getattr(process, call)(*arguments)
        assert raised.value.errno == number
        assert "process group is not modelled" in machine.log.lines()[-1]


def test_only_ones_own_user_may_be_signalled() -> None:
    seen = []

    async def victim(app: Any) -> None:
        await app.sleep(5)

    async def stranger(app: Any, pid: int) -> None:
        try:
            await app.kill(pid, SIGTERM)
        except PermissionError as error:
            seen.append(error.errno)
        try:
            await app.kill(99999, SIGTERM)
        except ProcessLookupError as error:
            seen.append(error.errno)

    with Machine(udev=False) as machine:
        process = machine.spawn(victim, uid=1000)
        machine.spawn(stranger, process.pid, uid=1001)
        machine.run(until=seconds(1))
        assert process.alive
    assert seen == [errno.EPERM, errno.ESRCH]


def test_an_orphan_goes_to_init_and_leaves_nothing_behind() -> None:
    seen = []

    async def grandchild(app: Any) -> None:
        await app.sleep(1)
        seen.append(await app.getppid())

    async def child(app: Any) -> None:
        await app.spawn(grandchild)

    async def parent(app: Any) -> None:
        await app.spawn(child)
        await app.wait()

    with Machine(udev=False) as machine:
        before = len(machine.kernel.processes)
        machine.spawn(parent)
        machine.run(until=seconds(10))
        assert len(machine.kernel.processes) == before
    assert seen == [1]


@pytest.mark.parametrize(("end", "status"), [("exit", 7 << 8), ("kill", SIGTERM), ("return", 0)])
def test_any_thread_can_end_the_whole_process(end: str, status: int) -> None:
    """exit_group(2) and a deadly signal to any thread end all threads. The return of a thread ends only this
    thread.
    """
    ended = []

    async def thread(app: Any) -> None:
        await app.sleep(0.1)
        if end == "exit":
            await app.exit(7)
        elif end == "kill":
            await app.kill(await app.gettid(), SIGTERM)

    async def sleeper(app: Any) -> None:
        try:
            await app.sleep(1)
        finally:
            ended.append(app.monotonic_ns() < seconds(0.5))

    async def leader(app: Any) -> None:
        await app.thread(sleeper)
        await app.thread(thread)
        await sleeper(app)

    with Machine(udev=False) as machine:
        process = machine.spawn(leader)
        machine.run(until=seconds(2))
        assert process.exit_status == status
        assert ended == [end != "return"] * 2
        assert left_behind(machine) == []


def test_threads_share_files_and_end_with_the_process() -> None:
    seen: list[Any] = []

    async def thread(app: Any) -> None:
        seen.append((await app.getpid(), await app.gettid()))
        sock = await app.socket(AF_NETLINK, SOCK_RAW, NETLINK_USERSOCK)
        seen.append(sock.fileno())
        await app.sleep(100)
        seen.append("never")

    async def program(app: Any) -> None:
        tid = await app.thread(thread)
        await app.sleep(1)
        adopted = await app.socket(AF_NETLINK, SOCK_RAW, NETLINK_USERSOCK, fileno=seen[1])
        await adopted.bind((0, 0))
        seen.append((await app.getpid(), tid))

    run(program)
    assert seen[0] == seen[2]
    assert len(seen) == 3


def test_sigchld_reaches_a_parent_that_wants_it() -> None:
    seen: list[int] = []

    async def child(app: Any) -> None:
        await app.sleep(1)

    async def parent(app: Any) -> None:
        await app.signal(SIGCHLD, seen.append)
        await app.spawn(child)
        with pytest.raises(InterruptedError):
            await app.sleep(100)

    run(parent)
    assert seen == [SIGCHLD]


def test_an_exception_of_a_program_fails_the_run_only() -> None:
    finished = []

    async def wrong(app: Any) -> None:
        await app.sleep(0.1)
        raise KeyError("no such thing")

    async def right(app: Any) -> None:
        await app.sleep(1)
        finished.append(True)

    with Machine(udev=False) as machine:
        process = machine.spawn(wrong)
        machine.spawn(right)
        with pytest.raises(ExceptionGroup) as group:
            machine.run(until=seconds(2))
        assert [type(error) for error in group.value.exceptions] == [KeyError]
        assert isinstance(process.failure, KeyError)
        assert os.waitstatus_to_exitcode(process.exit_status or 0) == 1
    assert finished == [True]


def test_a_call_in_a_finally_below_does_no_harm_either() -> None:
    ended: list[str] = []

    async def careful(app: Any) -> None:
        try:
            await app.sleep(100)
        finally:
            ended.append("below")
            await app.sleep(1)
            ended.append("never")

    async def program(app: Any) -> None:
        try:
            await careful(app)
        finally:
            ended.append("above")
            await app.sleep(1)

    with Machine(udev=False) as machine:
        machine.spawn(program)
        machine.run(until=seconds(1))
    assert ended == ["below", "above"]


def test_closing_the_machine_ends_programs_in_the_order_of_their_pids() -> None:
    ended: list[str] = []

    async def program(app: Any, name: str) -> None:
        try:
            await app.sleep(100)
        finally:
            ended.append(name)
            await app.sleep(1)  # has no effect any more
            ended.append("never")

    with Machine(udev=False) as machine:
        for name in "abc":
            machine.spawn(program, name)
        machine.run(until=seconds(1))
    assert ended == ["a", "b", "c"]


def test_a_generator_program_yields_the_same_calls() -> None:
    seen: list[Any] = []

    def program(app: Any) -> Any:
        sock = yield app.socket(AF_NETLINK, SOCK_RAW, NETLINK_USERSOCK)
        yield sock.bind((78, 0))
        seen.append((yield sock.getsockname()))
        try:
            yield sock.bind((79, 0))
        except OSError as error:
            seen.append(error.errno)

    run(program)
    assert seen == [(78, 0), errno.EINVAL]


def test_a_capability_given_up_is_gone() -> None:
    seen = []

    async def program(app: Any) -> None:
        await app.capset([])
        for attempt in (app.setuid(5), app.capset([12])):
            try:
                await attempt
            except PermissionError as error:
                seen.append(error.errno)

    run(program)
    assert seen == [errno.EPERM, errno.EPERM]


def test_a_process_that_drops_root_cannot_regain_it() -> None:
    seen = []

    async def program(app: Any) -> None:
        await app.setuid(1000)
        for attempt in (app.setuid(0), app.modprobe("hello")):
            try:
                await attempt
            except PermissionError as error:
                seen.append(error.errno)

    run(program)
    assert seen == [errno.EPERM, errno.EPERM]


def test_signals_are_delivered_the_lowest_number_first_and_each_once() -> None:
    seen: list[int] = []

    async def program(app: Any) -> None:
        for number in (SIGTERM, SIGUSR1):
            await app.signal(number, seen.append)
        await app.compute(seconds(1))
        await app.getpid()

    machine = Machine(udev=False)
    process = machine.spawn(program)
    for number in (SIGTERM, SIGUSR1, SIGTERM):
        machine.at(seconds(0.5), process.kill, number)
    machine.run()
    assert seen == [SIGUSR1, SIGTERM]


@pytest.mark.parametrize("wrong", [None, 5, "program"])
def test_an_object_that_cannot_be_called_is_refused(wrong: Any) -> None:
    with Machine(udev=False) as machine, pytest.raises(SimulationError, match="pass the function itself"):
        machine.spawn(wrong)
