"""Plain functions as programs: their calls block, and they behave and end like async programs."""

from __future__ import annotations

import contextvars
import functools
import re
import sys
from collections.abc import Callable, Iterator
from typing import Any

import greenlet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simkernel import App, Blocking, Machine, SimulationError, millis, seconds
from simkernel.hardware import Mouse
from simkernel.uapi.netlink import NETLINK_USERSOCK
from simkernel.uapi.poll import POLLIN
from simkernel.uapi.signal import SIGTERM, SIGUSR1
from simkernel.uapi.socket import AF_NETLINK, SOCK_RAW

Step = tuple[str, int]


@pytest.fixture
def machine() -> Iterator[Machine]:
    """Return a machine without udevd."""
    with Machine(udev=False) as machine:
        yield machine


# -- calls ----------------------------------------------------------------------


async def awaiting(app: App, steps: list[Step]) -> None:
    """An async program that makes the calls in `steps`. A step is the name of a call and a number, such as a
    time or a size.
    """
    sock = await app.socket(AF_NETLINK, SOCK_RAW, NETLINK_USERSOCK)
    await sock.bind((await app.getpid(), 0))
    for what, number in steps:
        try:
            if what == "sleep":
                await app.sleep(number / 1e6)
            elif what == "compute":
                await app.compute(number)
            elif what == "send":
                await sock.sendto(b"x" * number, (number % 7, 0))
            elif what == "receive":
                await app.poll([(sock, POLLIN)], number)
                await sock.recv(100, 0x40)
            elif what == "spawn":
                await app.spawn(awaiting, [])
            else:
                await app.listdir("/proc")
        except OSError:
            await app.sched_yield()


def blocking(app: Blocking, steps: list[Step]) -> None:
    """A plain function that makes the calls in `steps`. A step is the name of a call and a number, such as a
    time or a size.
    """
    sock = app.socket(AF_NETLINK, SOCK_RAW, NETLINK_USERSOCK)
    sock.bind((app.getpid(), 0))
    for what, number in steps:
        try:
            if what == "sleep":
                app.sleep(number / 1e6)
            elif what == "compute":
                app.compute(number)
            elif what == "send":
                sock.sendto(b"x" * number, (number % 7, 0))
            elif what == "receive":
                app.poll([(sock, POLLIN)], number)
                sock.recv(100, 0x40)
            elif what == "spawn":
                app.spawn(blocking, [], name="awaiting")
            else:
                app.listdir("/proc")
        except OSError:
            app.sched_yield()


steps = st.lists(
    st.tuples(
        st.sampled_from(["sleep", "compute", "send", "receive", "spawn", "list"]), st.integers(1, 5000)
    ),
    max_size=6,
)


@given(programs=st.lists(steps, min_size=1, max_size=4), cpus=st.sampled_from([None, 1]))
def test_a_plain_function_leaves_the_trace_of_an_async_one(
    programs: list[list[Step]], cpus: int | None
) -> None:
    def traced(program: Callable[..., Any]) -> tuple[list[str], int, int]:
        with Machine(seed=3, udev=False, cpus=cpus) as machine:
            lines: list[str] = []
            machine.trace.subscribe(lambda event: lines.append(re.sub(" at 0x[0-9a-f]+", "", repr(event))))
            for each in programs:
                machine.spawn(program, each, name="awaiting")
            machine.run()
            return lines, machine.now, machine.events

    assert traced(blocking) == traced(awaiting)


def test_programs_of_all_kinds_talk_to_each_other(machine: Machine) -> None:
    def server(app: Blocking) -> None:
        sock = app.socket(AF_NETLINK, SOCK_RAW, NETLINK_USERSOCK)
        sock.bind((77, 0))
        while True:
            data, sender = sock.recvfrom(100)
            app.compute(millis(10))
            sock.sendto(data.upper(), sender)

    def asks(app: Blocking, text: bytes) -> None:
        sock = app.socket(AF_NETLINK, SOCK_RAW, NETLINK_USERSOCK)
        sock.sendto(text, (77, 0))
        answers.append(sock.recv(100))

    async def asks_too(app: App, text: bytes) -> None:
        sock = await app.socket(AF_NETLINK, SOCK_RAW, NETLINK_USERSOCK)
        await sock.sendto(text, (77, 0))
        answers.append(await sock.recv(100))

    answers: list[bytes] = []
    machine.spawn(server)
    for program, text in ((asks, b"one"), (asks_too, b"two"), (asks, b"three")):
        machine.spawn(program, text)
    machine.run()
    assert answers == [b"ONE", b"TWO", b"THREE"]
    assert millis(30) < machine.now < millis(31)


def test_a_call_that_does_not_sleep_costs_no_switch(machine: Machine) -> None:
    def busy(app: Blocking) -> None:
        for _ in range(1000):
            app.getpid()

    switches: list[object] = []
    before = greenlet.settrace(lambda event, _: switches.append(event))
    try:
        machine.spawn(busy)
        machine.run()
    finally:
        greenlet.settrace(before)
    assert len(switches) < 10


def test_clients_and_devices_work_in_a_plain_function() -> None:
    def watch(app: Blocking) -> None:
        for event in app.uevents():
            found.append(event.variables.get("SUBSYSTEM", ""))
            if event.variables.get("DEVNAME") == "input/event0":
                break
        app.sleep(0.1)
        names.extend(app.listdir("/dev/input"))

    found: list[str] = []
    names: list[str] = []
    with Machine() as machine:
        machine.spawn(watch)
        machine.run(until=millis(1))
        machine.plug(Mouse())
        machine.run(until=seconds(1))
    assert found[0] == "simbus" and found[-1] == "input" and names == ["event0"]


def test_fileno_is_the_descriptor_in_the_machine(machine: Machine) -> None:
    def program(app: Blocking) -> None:
        found.extend(app.socket(AF_NETLINK, SOCK_RAW, NETLINK_USERSOCK).fileno() for _ in range(2))

    found: list[int] = []
    machine.spawn(program)
    machine.run()
    assert found == [3, 4]


def test_any_system_call_can_be_made_by_name(machine: Machine) -> None:
    def program(app: Blocking) -> None:
        found.append((app.call("getpid"), app.getpid(), app.run(app.app.getpid())))

    found: list[tuple[int, int, int]] = []
    pid = machine.spawn(program).pid
    machine.run()
    assert found == [(pid, pid, pid)]


# -- kinds of callables -----------------------------------------------------------


async def target(app: App, seen: list[int]) -> None:
    """An async program that sleeps for a second and appends its pid to `seen`."""
    await app.sleep(1)
    seen.append(await app.getpid())


def generator(app: App, seen: list[int]) -> Iterator[Any]:
    """A generator program that sleeps for a second and appends its pid to `seen`."""
    yield app.sleep(1)
    seen.append((yield app.getpid()))


class AsyncCall:
    """A program: an object with an async `__call__()`."""

    async def __call__(self, app: App, seen: list[int]) -> None:
        await target(app, seen)


class PlainCall:
    """A program: an object whose `__call__()` is a plain function."""

    def __call__(self, app: Blocking, seen: list[int]) -> None:
        app.sleep(1)
        seen.append(app.getpid())


def wrapped(app: Blocking, *arguments: Any) -> Any:
    """A plain function that sleeps and then returns the coroutine of an async program. The wrapper that a
    decorator returns can do the same.
    """
    app.sleep(0.5)
    return target(app, *arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "program",
    [
        target,
        generator,
        AsyncCall(),
        PlainCall(),
        AsyncCall().__call__,
        wrapped,
        lambda app, seen: target(app, seen),
        lambda app, seen: generator(app, seen),
        functools.partial(target),
        functools.partial(functools.partial(PlainCall())),
        functools.partial(lambda app, seen: generator(app, seen)),
    ],
    ids=[
        "async",
        "generator",
        "async object",
        "object",
        "async method",
        "wrapper",
        "lambda",
        "lambda generator",
        "partial",
        "partial of partial",
        "partial of lambda",
    ],
)
def test_any_callable_is_a_program(machine: Machine, program: Callable[..., Any]) -> None:
    async def parent(app: App) -> None:
        pid = await app.spawn(program, seen)
        assert await app.waitpid(pid) == (pid, 0)

    seen: list[int] = []
    pid = machine.spawn(program, seen).pid
    machine.spawn(parent)
    machine.run()
    assert seen == [pid, pid + 2]
    assert seconds(1) < machine.now < seconds(1.6)


def test_an_async_generator_is_refused(machine: Machine) -> None:
    async def stream(app: App) -> Any:
        yield await app.getpid()

    with pytest.raises(SimulationError, match="stream is not a program: it returned an async generator"):
        machine.spawn(stream)
    machine.spawn(lambda app: stream(app))
    with pytest.raises(ExceptionGroup, match="it returned an async generator"):
        machine.run()


def test_a_plain_function_runs_only_when_its_task_runs(machine: Machine) -> None:
    ran: list[Blocking] = []
    process = machine.spawn(ran.append)
    assert not ran and process.alive
    machine.run()
    assert len(ran) == 1 and process.exit_status == 0


@pytest.fixture
def without_greenlet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the import of greenlet fail."""
    monkeypatch.setitem(sys.modules, "greenlet", None)
    monkeypatch.delitem(sys.modules, "simkernel.application.plain", raising=False)


@pytest.mark.usefixtures("without_greenlet")
def test_without_greenlet_the_error_of_a_failing_function_names_the_extra(machine: Machine) -> None:
    def fails(app: Blocking) -> None:
        for _ in app.uevents():
            pass

    machine.spawn(fails)
    with pytest.raises(ExceptionGroup) as failed:
        machine.run()
    (error,) = failed.value.exceptions
    assert isinstance(error, TypeError)
    assert "pip install 'simkernel[testing]'" in error.__notes__[0]


@pytest.mark.usefixtures("without_greenlet")
def test_without_greenlet_the_error_names_the_extra(machine: Machine) -> None:
    def program(app: Blocking) -> None:
        pass

    process = machine.spawn(program)
    with pytest.raises(ExceptionGroup, match=r"pip install 'simkernel\[testing\]'"):
        machine.run()
    assert process.exit_status == 1 << 8


@pytest.mark.usefixtures("without_greenlet")
def test_without_greenlet_other_programs_run(machine: Machine) -> None:
    seen: list[int] = []
    programs: list[Any] = [target, generator, AsyncCall(), lambda app, seen: target(app, seen)]
    pids = [machine.spawn(program, seen).pid for program in programs]
    machine.run()
    assert seen == pids
    assert "simkernel.application.plain" not in sys.modules


# -- inside a function ----------------------------------------------------------------


def test_a_function_has_a_copy_of_its_spawners_context(machine: Machine) -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="nobody's")

    def child(app: Blocking) -> None:
        seen.append(variable.get())

    def parent(app: Blocking) -> None:
        seen.append(variable.get())
        variable.set("the parent's")
        app.sleep(1)
        app.spawn(child)
        seen.append(variable.get())

    seen: list[str] = []
    variable.set("the test's")
    machine.spawn(parent)
    machine.spawn(parent)
    machine.run()
    assert seen == ["the test's"] * 2 + ["the parent's"] * 4
    assert variable.get() == "the test's"


def test_an_exception_that_is_handled_belongs_to_its_function(machine: Machine) -> None:
    def program(app: Blocking, number: int) -> None:
        try:
            raise ValueError(number)
        except ValueError:
            app.sleep(1)
            seen.append(str(sys.exception() if sys.version_info >= (3, 12) else sys.exc_info()[1]))
        app.sleep(1)
        seen.append(str(sys.exc_info()[1]))

    seen: list[str] = []
    machine.spawn(program, 1)
    machine.spawn(program, 2)
    machine.run()
    assert seen == ["1", "2", "None", "None"]


def test_greenlets_of_the_function_itself_make_calls(machine: Machine) -> None:
    def program(app: Blocking) -> None:
        inner = greenlet.greenlet(lambda: (app.sleep(1), app.getpid()))
        seen.append(inner.switch())
        app.sleep(1)

    seen: list[object] = []
    pid = machine.spawn(program).pid
    machine.run()
    assert seen == [(None, pid)] and machine.now > seconds(2)


def test_a_machine_runs_in_a_greenlet_of_the_caller(machine: Machine) -> None:
    process = machine.spawn(lambda app: app.sleep(2))
    machine.run(until=seconds(1))
    greenlet.greenlet(lambda: machine.run()).switch()
    assert process.exit_status == 0


def test_calls_of_another_program_are_refused(machine: Machine) -> None:
    def keeps(app: Blocking) -> None:
        apps.append(app)
        app.sleep(10)

    def takes(app: Blocking) -> None:
        for use in (lambda: apps[0].sleep(1), machine.blocking().getpid):
            with pytest.raises(SimulationError, match="its own app"):
                use()
        steps.append("done")

    apps: list[Blocking] = []
    steps: list[str] = []
    machine.spawn(keeps)
    machine.spawn(takes)
    machine.run(until=seconds(1))
    with pytest.raises(SimulationError, match="which is not running"):
        apps[0].sleep(1)
    machine.run()
    assert steps == ["done"] and seconds(10) < machine.now < seconds(11)


def test_a_signal_handler_can_block(machine: Machine) -> None:
    def program(app: Blocking) -> None:
        def handler(number: int) -> None:
            steps.append(f"handler of {number}")
            app.sleep(1)
            steps.append(f"after {app.monotonic_ns() // millis(100)}")

        app.signal(SIGUSR1, handler)
        with pytest.raises(InterruptedError):
            app.sleep(10)
        steps.append("interrupted")

    steps: list[str] = []
    process = machine.spawn(program)
    machine.run(until=seconds(1))
    process.kill(SIGUSR1)
    machine.run()
    assert steps == [f"handler of {SIGUSR1}", "after 20", "interrupted"]
    assert process.exit_status == 0


def test_an_error_of_a_signal_handler_is_raised_in_the_blocked_call(machine: Machine) -> None:
    def program(app: Blocking) -> None:
        def handler(number: int) -> None:
            raise KeyError(number)

        app.signal(SIGTERM, handler)
        try:
            app.sleep(10)
        except KeyError as error:
            seen.append(error.args)

    seen: list[object] = []
    process = machine.spawn(program)
    machine.run(until=seconds(1))
    process.kill(SIGTERM)
    machine.run()
    assert seen == [(SIGTERM,)] and process.exit_status == 0


def test_a_function_that_returned_a_coroutine_handles_signals(machine: Machine) -> None:
    async def program(app: App) -> None:
        await app.signal(SIGTERM, seen.append)
        with pytest.raises(InterruptedError):
            await app.sleep(10)

    seen: list[int] = []
    process = machine.spawn(lambda app: program(app))
    machine.run(until=seconds(1))
    process.kill(SIGTERM)
    machine.run()
    assert seen == [SIGTERM] and process.exit_status == 0


def test_threads_share_descriptors(machine: Machine) -> None:
    def reads(app: Blocking, fd: int) -> None:
        seen.append((app.getpid(), app.read(fd, 10)))

    def program(app: Blocking) -> None:
        reader, writer = app.pipe()
        app.thread(reads, reader)
        app.sleep(1)
        app.write(writer, b"hello")
        app.sleep(1)

    seen: list[tuple[int, bytes]] = []
    pid = machine.spawn(program).pid
    machine.run()
    assert seen == [(pid, b"hello")]
