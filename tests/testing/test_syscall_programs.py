"""Tests of `SyscallProgram`, a sequence of system calls that is stored as data. It is parsed, run, generated
and shrunk.
"""

from __future__ import annotations

import errno
from random import Random
from typing import Any

import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st

from simkernel import Machine, SimulationError
from simkernel.testing import strategies
from simkernel.testing.strategies import SyscallProgram, descriptor, syscall, syscall_programs
from simkernel.uapi.syscalls import SYSCALLS
from tests.examples import examples
from tests.testing.gauges import MODULES, EmptyGauge

TEXT = r"""
fd0 = openat(-100, '/tmp/a', 66, 384)
write(fd0, b'a\x00"')
fd1, fd2 = pipe2(2048)
poll([(fd1, 1), (fd2, 4)], 0)
read(fd1, 8)
close(fd0)
read(fd0, 1)
"""


def results(program: SyscallProgram, **options: Any) -> list[Any]:
    """Run a program of system calls in a new process, and return the results of the calls."""
    with Machine(udev=False, check_leaks=True, **options) as machine:
        process = machine.blocking()
        made: list[Any] = process.run(program(process.app))
        return made


def test_a_program_makes_its_calls_and_a_failed_one_does_not_end_it() -> None:
    made = results(SyscallProgram.parse(TEXT))
    assert made == [3, 3, (4, 5), [(5, 4)], -errno.EAGAIN, None, -errno.EBADF]


def test_calls_on_the_descriptor_of_a_failed_call_fail_with_ebadf() -> None:
    made = results(SyscallProgram.parse("fd0 = openat(-100, '/nosuch', 0)\nread(fd0, 1)\n"))
    assert made == [-errno.ENOENT, -errno.EBADF]


def test_an_ioctl_gets_a_buffer_and_leaves_the_program_as_it_is() -> None:
    program = SyscallProgram.parse("fd0 = memfd_create('m', 0)\nioctl(fd0, 21537, b'\\1\\0\\0\\0')")
    assert results(program) == results(program)
    assert program.calls[1].arguments[2] == b"\1\0\0\0"


def test_text_and_repr_are_read_back() -> None:
    program = SyscallProgram.parse(TEXT)
    assert str(program) == TEXT.strip()
    assert SyscallProgram.parse(str(program)) == program
    quoted = SyscallProgram.parse("write(1, b'" + '"""' + "')")
    for each in (program, quoted):
        assert eval(repr(each), {"SyscallProgram": SyscallProgram}) == each


@pytest.mark.parametrize(
    "text",
    [
        "read(fd0, 1)",
        "nosuch(1)",
        "read",
        "x = 1",
        "fd0 = read(*a)",
        "getpid(x=1)",
        "1 +",
        "import os",
        "getpid().a",
    ],
)
def test_a_line_that_is_no_call_is_an_error_that_shows_it(text: str) -> None:
    with pytest.raises(SimulationError, match="write NAME") as raised:
        SyscallProgram.parse(f"getpid()\n{text}\n")
    assert repr(text) in str(raised.value)


def test_the_text_of_a_program_cannot_call_python() -> None:
    with pytest.raises(SimulationError):
        SyscallProgram.parse("read(open('/etc/passwd'), 1)")


@settings(max_examples=examples(50))
@given(syscall_programs())
def test_a_drawn_program_can_be_pasted_and_ends_and_leaves_nothing_behind(program: SyscallProgram) -> None:
    assert eval(repr(program), vars(strategies).copy()) == program
    with Machine(udev=False, check_leaks=True) as machine:
        process = machine.spawn(program)
        machine.run()
        assert process.exit_status == 0


@settings(max_examples=examples(50))
@given(syscall_programs())
def test_a_drawn_program_uses_descriptors_that_are_open(program: SyscallProgram) -> None:
    assert -errno.EBADF not in [
        result
        for call, result in zip(program.calls, results(program), strict=True)
        if call.name not in ("read", "write")  # read and write fail with EBADF at the wrong end of a pipe
    ]


@pytest.mark.parametrize(
    "name",
    ["openat", "close", "dup", "read", "write", "sendto", "recvfrom", "setsockopt", "epoll_ctl", "poll"],
)
def test_each_kind_of_call_is_drawn(name: str) -> None:
    assert name in SYSCALLS
    find(
        syscall_programs(), lambda program: any(call.name == name for call in program.calls),
        settings=settings(max_examples=2000, phases=[Phase.generate], database=None), random=Random(1),
    )  # fmt: skip


@pytest.mark.long
def test_own_calls_are_drawn_with_a_descriptor_of_the_first_path() -> None:
    program = find(
        syscall_programs(
            paths=["/dev/full"], others=[syscall("ioctl", descriptor("file"), 99, 7)], max_size=1
        ),
        lambda program: any(call.name == "ioctl" for call in program.calls),
        settings=settings(max_examples=2000, database=None),
        random=Random(1),
    )
    assert str(program) == "fd0 = openat(-100, '/dev/full', 2050)\nioctl(fd0, 99, 7)"


@pytest.mark.long
def test_a_planted_bug_of_a_driver_shrinks_to_the_shortest_program() -> None:
    """The driver of this gauge reads the first byte of an empty write."""

    @settings(max_examples=500, derandomize=True, database=None, phases=[Phase.generate, Phase.shrink])
    @given(st.lists(syscall_programs(paths=["/dev/gauge0"]), min_size=1, max_size=2))
    def the_driver_has_no_oops(programs: list[SyscallProgram]) -> None:
        with Machine(module_path=MODULES) as machine:
            machine.plug(EmptyGauge())
            machine.run()
            for program in programs:
                machine.spawn(program)
            machine.run()
            assert machine.statistics["oopses"] == 0

    with pytest.raises(AssertionError) as failed:
        the_driver_has_no_oops()
    text = "\n".join(failed.value.__notes__)
    printed = text[text.index("programs=") + len("programs=") : text.rindex(",\n")]
    assert [line.strip() for line in printed.splitlines()] == [
        '[SyscallProgram.parse(r"""',
        "fd0 = openat(-100, '/dev/gauge0', 2050)",
        "write(fd0, b'')",
        '""")]',
    ]
    pasted = eval(printed, vars(strategies).copy())
    with pytest.raises(AssertionError):
        the_driver_has_no_oops.hypothesis.inner_test(pasted)  # type: ignore[attr-defined]
