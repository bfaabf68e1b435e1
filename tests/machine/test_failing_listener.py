"""If a trace listener, or a function that was given to `machine.at()`, raises an error, `machine.run()`
raises this error. No program ends.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simkernel import App, Machine, SimulationError, millis, seconds
from simkernel.engine import Record
from simkernel.hardware import Camera
from simkernel.trace.digest import Digest
from simkernel.trace.strace import Strace
from tests.examples import examples

END = seconds(0.15)


async def viewer(app: App, seen: list[Any]) -> None:
    """Use a driver, files and a child.  Any error of a call fails the test."""
    camera = await app.genetlink("camera")
    await camera.join("frames")
    await camera.do("stream-on")
    async for event in camera.events("frame-ready"):
        if event["sequence"] == 0:
            break
    await camera.close()
    reader, writer = await app.pipe()
    await app.write(writer, b"text")
    seen.append(await app.read(reader, 4))
    child = await app.spawn(sleeper)
    seen.append((await app.waitpid(child, 0))[1])


async def sleeper(app: App) -> None:
    await app.sleep(0.001)


def start(*, cpus: int | None = None) -> tuple[Machine, list[Any], Digest]:
    machine = Machine(cpus=cpus)
    digest = Digest()
    machine.trace.subscribe(digest)
    seen: list[Any] = []
    machine.plug(Camera())
    machine.spawn(viewer, seen)
    return machine, seen, digest


def finish(machine: Machine, raised: list[BaseException]) -> None:
    """Run the machine to the end and close it. If this raises an error, append the error to `raised` and try
    again.
    """
    while True:
        try:
            machine.run(until=END)
            machine.close()
            return
        except BaseException as error:  # noqa: BLE001 - the subject of the test
            raised.append(error)
            assert len(raised) < 10
            if repr(machine).endswith("closed>"):
                return


def undisturbed(cpus: int | None) -> tuple[str, int]:
    machine, _, digest = start(cpus=cpus)
    count = 0

    def listen(record: Record) -> None:
        nonlocal count
        count += 1

    machine.trace.subscribe(listen)
    finish(machine, [])
    return digest.hexdigest(), count


UNDISTURBED = {cpus: undisturbed(cpus) for cpus in (None, 1)}

errors = st.sampled_from(
    [
        OSError(errno.ENOENT, "no such file"),
        BlockingIOError(errno.EAGAIN, "again"),
        SimulationError("wrong use"),
        AssertionError("not as expected"),
        StopIteration(3),
        GeneratorExit(),
        SystemExit(3),
        KeyboardInterrupt(),
        pytest.fail.Exception("on purpose"),
    ]
)


@settings(max_examples=examples(40))
@given(errors, st.sampled_from((None, 1)), st.data())
def test_an_error_of_a_listener_leaves_run_and_changes_nothing(
    error: BaseException, cpus: int | None, data: st.DataObject
) -> None:
    expected, records = UNDISTURBED[cpus]
    number = data.draw(st.integers(1, records))
    machine, seen, digest = start(cpus=cpus)
    count = 0

    def listen(record: Record) -> None:
        nonlocal count
        count += 1
        if count == number:
            raise error

    machine.trace.subscribe(listen)
    raised: list[BaseException] = []
    finish(machine, raised)
    assert raised == [error]
    assert seen == [b"text", 0]
    assert count == number, "a listener that has failed is not called again"
    assert machine.statistics["oopses"] == 0
    assert digest.hexdigest() == expected


def boom(*_: object) -> None:
    raise OSError(errno.ENOENT, "listener")


def test_the_errors_of_two_listeners_are_both_raised() -> None:
    machine, seen, _ = start()
    errors = [ValueError("one"), ValueError("two")]

    def failing(error: BaseException) -> Callable[[Record], None]:
        def listen(record: Record) -> None:
            raise error

        return listen

    for error in errors:
        machine.trace.subscribe(failing(error))
    raised: list[BaseException] = []
    finish(machine, raised)
    assert raised == errors
    assert seen == [b"text", 0]


@pytest.mark.parametrize("act", ["plug", "spawn", "close"])
def test_an_error_during_a_call_of_ordinary_code_is_raised_by_that_call(act: str) -> None:
    with Machine() as machine:
        machine.spawn(sleeper)
        machine.run(until=millis(0.5))
        machine.trace.subscribe(boom)
        acts: dict[str, Callable[[], object]] = {
            "plug": lambda: machine.plug(Camera()),
            "spawn": lambda: machine.spawn(sleeper),
            "close": machine.close,
        }
        with pytest.raises(FileNotFoundError, match="listener"):
            acts[act]()
        if act != "close":
            machine.run(until=seconds(1))
            assert len(list(machine.kernel.processes)) > 1
            assert bool(machine.bus.devices()) == (act == "plug")


def test_a_with_statement_raises_the_error_at_its_end() -> None:
    with pytest.raises(FileNotFoundError), Machine() as machine:
        machine.spawn(sleeper)
        machine.run(until=0)
        machine.trace.subscribe(boom)
    with pytest.raises(FileNotFoundError) as raised, Machine() as machine:
        machine.spawn(sleeper)
        machine.run(until=0)
        machine.trace.subscribe(boom)
        raise ValueError("mine")
    assert isinstance(raised.value.__context__, ValueError)


# -- ordinary code that blocks: there an OSError is the errno of the call --------------


@pytest.mark.parametrize("action", [lambda user: user.getpid(), lambda user: user.sleep(0.1)])
def test_a_blocking_call_is_done_before_the_error_is_raised(action: Callable[[Any], object]) -> None:
    with Machine() as machine:
        user = machine.blocking()
        machine.trace.subscribe(boom)
        with pytest.raises(SimulationError, match=r"FileNotFoundError.*listener") as raised:
            action(user)
        assert isinstance(raised.value.__cause__, FileNotFoundError)
        begun = machine.now
        user.sleep(0.1)
        assert machine.now - begun >= millis(100)  # sleep() did not return the result of `action`
        assert user.getpid() == user.task.pid


def test_a_helper_of_several_calls_does_not_handle_the_error() -> None:
    """modprobe() ignores EEXIST of its system call, but not a FileExistsError of a trace listener."""

    def listen(record: Record) -> None:
        if record.name == "module_load":
            raise FileExistsError(errno.EEXIST, "listener")

    with Machine() as machine:
        user = machine.blocking(uid=0)
        machine.trace.subscribe(listen)
        with pytest.raises(SimulationError, match="FileExistsError"):
            user.modprobe("hello")
        user.rmmod("hello")


def test_an_error_of_another_kind_is_raised_as_itself() -> None:
    def listen(record: Record) -> None:
        raise AssertionError("wrong record")

    with Machine() as machine:
        user = machine.blocking()
        machine.trace.subscribe(listen)
        with pytest.raises(AssertionError, match="wrong record"):
            user.sleep(0.1)


def test_an_error_of_a_function_of_at_is_raised_by_the_run() -> None:
    with Machine() as machine:
        machine.at(millis(10), boom)
        machine.at(millis(30), boom)
        user = machine.blocking()
        with pytest.raises(SimulationError, match=r"FileNotFoundError.*listener"):
            user.sleep(0.02)
        user.sleep(0.005)
        with pytest.raises(FileNotFoundError):
            machine.run(until=millis(40))
        user.sleep(0.005)


# -- exporters -------------------------------------------------------------------------


def test_a_full_disk_is_an_error_of_the_run() -> None:
    class Full:
        def write(self, text: str) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    machine, seen, _ = start()
    machine.trace.subscribe(Strace(Full()))  # type: ignore[arg-type]
    raised: list[BaseException] = []
    finish(machine, raised)
    assert [getattr(error, "errno", None) for error in raised] == [errno.ENOSPC]
    assert seen == [b"text", 0]
