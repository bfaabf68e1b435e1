"""SimStateMachine finds planted bugs and prints the shortest failing program. If a user pastes this program,
it fails too.
"""

from __future__ import annotations

import re
from typing import Any, ClassVar

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule, run_state_machine_as_test

from simkernel import KernelBug, Leak
from simkernel.hardware import Camera, Device, Mouse
from simkernel.testing.stateful import SimStateMachine
from simkernel.testing.strategies import SyscallProgram, syscall_programs
from simkernel.uapi.fcntl import O_RDWR
from tests.testing.gauges import MODULES, EmptyGauge, Gauge, GreedyGauge, MinorsGauge, StaleGauge

SETTINGS = settings(
    max_examples=200, deadline=None, database=None, derandomize=True,
    stateful_step_count=16, phases=[Phase.generate, Phase.shrink], report_multiple_bugs=False,
)  # fmt: skip


class GaugeMachine(SimStateMachine):
    """Programs that open, read, write and close a gauge."""

    options: ClassVar = {"module_path": MODULES}
    model: type[Device] = Gauge

    def __init__(self) -> None:
        self.devices = {"gauge0": self.model}
        super().__init__()
        self.user = self.machine.blocking(uid=1000)
        self.fds: list[int] = []

    @precondition(lambda self: self.plugged("gauge0"))
    @rule()
    def open(self) -> None:
        self.fds.append(self.user.open("/dev/gauge0", O_RDWR))

    @precondition(lambda self: self.fds)
    @rule()
    def read(self) -> None:
        self.user.read(self.fds[-1], 1)

    @precondition(lambda self: self.fds)
    @rule(data=st.binary(max_size=2))
    def write(self, data: bytes) -> None:
        self.user.write(self.fds[-1], data)

    @precondition(lambda self: self.fds)
    @rule()
    def close(self) -> None:
        self.user.close(self.fds.pop())


class StaleMachine(GaugeMachine):
    model = StaleGauge


class MinorsMachine(GaugeMachine):
    model = MinorsGauge


class GreedyMachine(GaugeMachine):
    model = GreedyGauge


class EmptyMachine(GaugeMachine):
    model = EmptyGauge


async def follow(app: Any) -> None:
    """Keep a table of mice. The planted bug: the program fails if an event is about a mouse that is not in
    the table.
    """
    client = await app.genetlink("mouse")
    await client.join("devices")
    table = {each["device"]: each for each in await client.dump("get-device")}
    async for event in client.events():
        before = table.pop(event["device"])
        if event.name == "device-added":
            table[event["device"]] = before | event


class FollowMachine(SimStateMachine):
    """A program that follows the mice."""

    devices: ClassVar = {"mouse0": Mouse}

    @precondition(lambda self: self.plugged("mouse0"))
    @rule()
    def follow(self) -> None:
        self.machine.spawn(follow, daemon=True)


class RateMachine(SimStateMachine):
    """A faulty model of a mouse: if the mouse is replaced by another one, the model still expects the report
    rate of the old mouse. The new mouse has the default rate.
    """

    devices: ClassVar = {"mouse0": Mouse}

    def __init__(self) -> None:
        super().__init__()
        self.user = self.machine.blocking(uid=1000)
        self.client: Any = None
        self.rate = 125

    @precondition(lambda self: self.plugged("mouse0"))
    @rule(rate=st.sampled_from([125, 250, 500]))
    def set_rate(self, rate: int) -> None:
        self.client = self.client or self.user.genetlink("mouse")
        self.client.do("set-rate", rate=rate)
        self.rate = rate

    @precondition(lambda self: self.plugged("mouse0") and self.client)
    @invariant()
    def the_rate_stays(self) -> None:
        assert self.client.do("get-device").get("rate") == self.rate


class SoundMachine(SimStateMachine):
    """Random system calls on the shipped drivers of mouse and camera, which have no planted bug."""

    devices: ClassVar = {"mouse0": Mouse, "mouse1": Mouse, "camera0": Camera}

    @rule(program=syscall_programs(paths=["/dev/input/event0", "/dev/video0"]))
    def run(self, program: SyscallProgram) -> None:
        self.machine.spawn(program)


def failure(machine: type[SimStateMachine], **changed: Any) -> BaseException:
    """Search a state machine for an error with hypothesis. Return the error after shrinking."""
    with pytest.raises((Exception, ExceptionGroup)) as found:
        run_state_machine_as_test(machine, settings=settings(SETTINGS, **changed))
    return found.value


def notes(error: BaseException) -> list[str]:
    """Return the lines that hypothesis adds to an error."""
    return "\n".join(getattr(error, "__notes__", [])).splitlines()


def printed(error: BaseException) -> str:
    """Return the program that hypothesis prints."""
    lines = notes(error)
    first = next(index for index, line in enumerate(lines) if line.startswith("state = "))
    return "\n".join(lines[first : lines.index("state.teardown()") + 1]) + "\n"


PLANTED: dict[type[SimStateMachine], tuple[type[BaseException], str, str]] = {
    MinorsMachine: (
        KernelBug,
        "BUG: unhandled exception in gauge: IndexError",
        """\
state = MinorsMachine()
state.plug(device='gauge0')
state.unplug(device='gauge0')
state.plug(device='gauge0')
state.teardown()
""",
    ),
    StaleMachine: (
        OSError,
        "Bad address",
        """\
state = StaleMachine()
state.plug(device='gauge0')
state.open()
state.unplug(device='gauge0')
state.read()
state.teardown()
""",
    ),
    GreedyMachine: (
        Leak,
        "resources were left behind: references to module gauge: 1",
        """\
state = GreedyMachine()
state.plug(device='gauge0')
state.open()
state.write(data=b'\\x00')
state.teardown()
""",
    ),
    EmptyMachine: (
        OSError,
        "Bad address",
        """\
state = EmptyMachine()
state.plug(device='gauge0')
state.open()
state.write(data=b'')
state.teardown()
""",
    ),
    FollowMachine: (
        ExceptionGroup,
        "follow/6: KeyError: 'mouse0'",
        """\
state = FollowMachine()
state.plug(device='mouse0')
state.follow()
state.unplug(device='mouse0')
state.plug(device='mouse0')
state.teardown()
""",
    ),
    RateMachine: (
        AssertionError,
        "assert 125 == 250",
        """\
state = RateMachine()
state.plug(device='mouse0')
state.set_rate(rate=250)
state.the_rate_stays()
state.unplug(device='mouse0')
state.plug(device='mouse0')
state.the_rate_stays()
state.teardown()
""",
    ),
}
"""For each planted bug: the exception class, a part of its message, and the shortest failing program."""


@pytest.mark.long
@pytest.mark.parametrize("machine", PLANTED)
def test_a_planted_bug_shrinks_to_the_shortest_program(machine: type[SimStateMachine]) -> None:
    kind, text, program = PLANTED[machine]
    error = failure(machine)
    assert isinstance(error, kind)
    assert text in str(error)
    assert printed(error) == program


@pytest.mark.parametrize("machine", PLANTED)
def test_the_printed_program_fails_when_it_is_pasted(machine: type[SimStateMachine]) -> None:
    kind, text, program = PLANTED[machine]
    with pytest.raises(kind, match=re.escape(text)):
        exec(program, {machine.__name__: machine})


@pytest.mark.parametrize("machine", [GaugeMachine, SoundMachine])
def test_sound_drivers_pass(machine: type[SimStateMachine]) -> None:
    run_state_machine_as_test(machine, settings=settings(SETTINGS, max_examples=15))


@pytest.mark.long
@pytest.mark.parametrize("machine", [GaugeMachine, SoundMachine])
def test_sound_drivers_pass_many_runs(machine: type[SimStateMachine]) -> None:
    run_state_machine_as_test(machine, settings=settings(SETTINGS, max_examples=300, derandomize=False))


def test_an_error_of_a_rule_has_a_note_with_the_kernel_bug() -> None:
    state = StaleMachine()
    state.plug(device="gauge0")
    state.open()
    state.unplug(device="gauge0")
    with pytest.raises(OSError) as raised:
        try:
            state.read()
        finally:
            state.teardown()
    assert "BUG: unhandled exception in gauge: TypeError" in "\n".join(notes(raised.value))


def test_check_raises_for_an_oops_that_no_rule_notices() -> None:
    state = MinorsMachine()
    state.plug("gauge0")
    state.unplug("gauge0")
    state.plug("gauge0")
    with pytest.raises(KernelBug, match="Oops: ") as raised:
        state.check()
    assert isinstance(raised.value.__cause__, IndexError)


def test_teardown_in_a_handler_of_an_older_exception_still_checks_for_leaks() -> None:
    try:
        raise ValueError
    except ValueError:
        state = GreedyMachine()
        state.plug("gauge0")
        state.open()
        state.write(b"x")
        with pytest.raises(Leak):
            state.teardown()


def test_a_run_has_sixteen_rules_unless_the_settings_have_another_number() -> None:
    assert GaugeMachine.TestCase.settings.stateful_step_count == 16


def test_programs_see_the_devices_go_before_they_end() -> None:
    seen: list[str] = []

    async def watch(app: Any) -> None:
        async for event in await app.uevents():
            seen.append(event.action)

    class WatchMachine(SimStateMachine):
        devices: ClassVar = {"mouse0": Mouse}

    state = WatchMachine()
    state.plug("mouse0")
    state.machine.spawn(watch)
    state.wait(1_000_000)
    assert seen == []
    state.teardown()
    assert "remove" in seen
