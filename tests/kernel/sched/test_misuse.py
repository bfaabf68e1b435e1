"""Wrong uses of simkernel's API: each error says what to do."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest

from simkernel import InternalError, Machine, SimulationError, seconds
from simkernel.application.caller import MAX_UNAWAITED
from simkernel.hardware import Camera
from simkernel.uapi.netlink import NETLINK_USERSOCK
from simkernel.uapi.signal import SIGTERM
from simkernel.uapi.socket import AF_NETLINK, SOCK_RAW


def failure_of(program: Any, **how: Any) -> BaseException:
    """Return the exception of a machine's only program."""
    with Machine(udev=False, **how) as machine:
        machine.spawn(program)
        with pytest.raises(ExceptionGroup) as group:
            machine.run(until=seconds(1))
        (error,) = group.value.exceptions
        return error


async def sleeper(app: Any) -> None:
    """A program that sleeps for a second."""
    await app.sleep(1)


async def async_handler(number: int) -> None:
    """An async signal handler, which would never run."""


def generator_handler(number: int) -> Any:
    """A generator as signal handler, which would never run."""
    yield


@pytest.mark.parametrize("handler", [async_handler, generator_handler])
def test_a_signal_handler_that_does_not_run_when_called_is_refused(handler: Any) -> None:
    async def program(app: Any) -> None:
        await app.signal(SIGTERM, handler)

    error = failure_of(program)
    assert isinstance(error, SimulationError)
    assert "the handler of signal 15 is a" in str(error)
    assert "write a plain function" in str(error)


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


def test_a_call_never_awaited_is_missed_however_many_there_were() -> None:
    async def program(app: Any) -> None:
        calls = [app.getpid() for _ in range(MAX_UNAWAITED)]
        for call in calls[:-1]:
            await call
        app.sleep(1)

    assert "never awaited them: getpid, nanosleep;" in str(failure_of(program))


@pytest.mark.parametrize("lost", ["sleep", "modprobe", "connect"])
def test_a_call_never_awaited_is_found_by_its_line(lost: str) -> None:
    async def program(app: Any) -> None:
        sock = await app.socket(AF_NETLINK, SOCK_RAW, NETLINK_USERSOCK)
        if lost == "connect":
            sock.connect((1, 0))
        elif lost == "modprobe":
            app.modprobe("camera")
        else:
            app.sleep(1)

    assert "test_misuse.py:" in str(failure_of(program, debug=True))


def test_every_call_that_was_lost_is_named() -> None:
    async def program(app: Any) -> None:
        sock = await app.socket(AF_NETLINK, SOCK_RAW, NETLINK_USERSOCK)
        sock.settimeout(1)
        sock.recv(1)
        app.genetlink("camera")
        app.lsmod()
        sock.dup()
        await sock.close()

    assert "never awaited them: ioctl, recvfrom, genetlink, lsmod, dup;" in str(failure_of(program))


def test_calls_may_be_made_before_they_are_awaited() -> None:
    order = []

    async def program(app: Any) -> None:
        for _ in range(100):
            first, second = app.getpid(), app.getuid()
            order.append((await second, await first > 0))

    with Machine(udev=False) as machine:
        machine.spawn(program)
        machine.run(until=seconds(1))
    assert order == [(0, True)] * 100


def test_a_helper_awaited_twice() -> None:
    async def program(app: Any) -> None:
        listing = app.lsmod()
        await listing
        await listing

    assert "lsmod> was awaited twice" in str(failure_of(program))


def test_a_call_run_twice_by_ordinary_code() -> None:
    with Machine(udev=False) as machine:
        facade = machine.blocking()
        call = facade.app.getpid()
        facade.run(call)
        with pytest.raises(SimulationError, match="twice"):
            facade.run(call)
        assert facade.getpid() > 0


def test_a_foreign_event() -> None:
    async def program(app: Any) -> None:
        await asyncio.sleep(0)

    error = failure_of(program)
    assert isinstance(error, SimulationError)
    assert "not a system call" in str(error)


def test_a_program_can_catch_a_foreign_event_and_continue() -> None:
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
def test_a_time_that_is_no_int(ns: Any) -> None:
    async def program(app: Any) -> None:
        await app.compute(ns)

    assert "int of nanoseconds" in str(failure_of(program))
    with Machine(udev=False) as machine:
        for wrong in (lambda: machine.at(ns, print), lambda: machine.run(until=ns or 0.0)):
            with pytest.raises(SimulationError, match="int of nanoseconds"):
                wrong()


def test_a_time_that_is_past() -> None:
    with Machine(udev=False) as machine:
        machine.run(until=seconds(2))
        for wrong in (lambda: machine.at(seconds(1), print), lambda: machine.run(until=seconds(1))):
            with pytest.raises(SimulationError, match="past"):
                wrong()


@pytest.mark.parametrize(
    ("seconds", "kind"), [("1", SimulationError), (-1, ValueError), (float("nan"), SimulationError)]
)
def test_a_sleep_that_cannot_be(seconds: Any, kind: type[Exception]) -> None:
    async def program(app: Any) -> None:
        await app.sleep(seconds)

    assert isinstance(failure_of(program), kind)


def test_running_the_machine_from_inside() -> None:
    with Machine(udev=False) as machine:

        async def program(app: Any) -> None:
            machine.run(until=seconds(5))

        machine.spawn(program)
        with pytest.raises(ExceptionGroup) as group:
            machine.run(until=seconds(1))
        assert "already running" in str(group.value.exceptions[0])


def test_a_blocking_call_from_inside() -> None:
    with Machine(udev=False) as machine:
        outside = machine.blocking()

        async def program(app: Any) -> None:
            outside.getpid()

        machine.spawn(program)
        with pytest.raises(ExceptionGroup) as group:
            machine.run(until=seconds(1))
        assert "inside the simulation" in str(group.value.exceptions[0])


@pytest.mark.parametrize(
    "how",
    [
        {"seed": 1.5},
        {"seed": None},
        {"cpus": 0},
        {"cpus": "2"},
        {"cpus": True},
        {"module_path": "modules"},
        {"unmodelled": "ignore"},
    ],
)
def test_a_machine_that_cannot_be(how: dict[str, Any]) -> None:
    with pytest.raises(SimulationError, match=next(iter(how))):
        Machine(**how)


@pytest.mark.parametrize(
    "who", [{"uid": "root"}, {"uid": -1}, {"uid": 1.0}, {"gid": "wheel"}, {"capabilities": ["CAP_NET_ADMIN"]}]
)
def test_a_group_without_protocol_is_refused(who: dict[str, Any]) -> None:
    with Machine(udev=False) as machine:
        for use in (lambda: machine.spawn(sleeper, **who), lambda: machine.blocking(**who)):
            with pytest.raises(SimulationError, match=r"must be an int of at least 0, not"):
                use()


@pytest.mark.parametrize(
    ("call", "arguments"),
    [
        ("exit", ["done"]),
        ("kill", [1, "SIGTERM"]),
        ("kill", ["init", 15]),
        ("waitpid", [None]),
        ("signal", [15, "ignore"]),
        ("setuid", ["root"]),
        ("setgid", [1.5]),
        ("capset", [["CAP_NET_ADMIN"]]),
        ("setrlimit", [7, ("many", "more")]),
        ("dup2", [0, None]),
        ("unshare", ["net"]),
        ("poll", [[(0, "in")]]),
    ],
)
def test_an_argument_that_is_no_number_is_refused_as_by_python(call: str, arguments: list[Any]) -> None:
    async def program(app: Any) -> None:
        await getattr(app, call)(*arguments)

    assert isinstance(failure_of(program), TypeError)


@pytest.mark.parametrize("use", ["run", "spawn", "blocking", "plug", "at"])
def test_a_closed_machine_does_nothing(use: str) -> None:
    with Machine(udev=False) as machine:
        pass
    arguments: dict[str, tuple[Any, ...]] = {"spawn": (sleeper,), "plug": (Camera(),), "at": (1, print)}
    with pytest.raises(SimulationError, match="closed"):
        getattr(machine, use)(*arguments.get(use, ()))
    machine.close()


@pytest.mark.parametrize("wrong", [5, None, Camera])
def test_an_object_that_is_no_device_is_refused(wrong: Any) -> None:
    with Machine(udev=False) as machine, pytest.raises(SimulationError, match="is not a device"):
        machine.plug(wrong)


def test_a_family_without_a_specification() -> None:
    async def program(app: Any) -> None:
        await app.genetlink("camra")

    assert "did you mean camera?" in str(failure_of(program))


@pytest.mark.parametrize(
    ("operation", "attributes", "says"),
    [
        ("set-formt", {}, "camera has no operation 'set-formt'"),
        ("list-formats", {}, "no request for the mode do"),
        ("set-format", {"widht": 3}, "did you mean width?"),
        ("set-format", {"width": 1.5}, "expected an integer"),
        ("set-format", {"pixel_format": "YUVY"}, "did you mean YUYV?"),
    ],
)
def test_a_request_that_cannot_be_expressed(operation: str, attributes: dict[str, Any], says: str) -> None:
    with Machine(udev=False) as machine:
        camera = machine.blocking().genetlink("camera")
        with pytest.raises(SimulationError, match=re.escape(says)):
            camera.do(operation, **attributes)


def test_groups_and_events_that_are_not_there() -> None:
    with Machine(udev=False) as machine:
        camera = machine.blocking().genetlink("camera")
        with pytest.raises(SimulationError, match="it has: devices, frames"):
            camera.join("frame")
        with pytest.raises(SimulationError, match="join a group"):
            camera.events()
        camera.join("frames")
        with pytest.raises(SimulationError, match=r"it has: .*frame-ready"):
            camera.events("frames-ready")


def test_two_calls_at_once() -> None:
    async def program(app: Any) -> None:
        next(app.sleep(1).__await__())
        await app.sleep(1)

    error = failure_of(program)
    assert isinstance(error, SimulationError)
    assert "one call at a time" in str(error)


def test_a_bug_of_ours_is_nothing_that_a_program_could_catch() -> None:
    caught = []

    async def program(app: Any) -> None:
        try:
            await app.getpid()
        except Exception as error:  # noqa: BLE001 - as programs do
            caught.append(error)

    def broken(task: Any) -> int:
        raise ValueError

    with Machine(udev=False) as machine:
        machine.kernel.processes.runner._handlers["getpid"] = broken
        machine.spawn(program)
        with pytest.raises(InternalError, match="ValueError inside <call getpid>"):
            machine.run(until=seconds(1))
    assert caught == []
