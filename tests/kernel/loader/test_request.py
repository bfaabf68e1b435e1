"""request_module(): the kernel asks user space to load a module."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from typing import Any

import pytest

from simkernel import Machine, seconds
from simkernel.kernel.loader.request import MAX_CONCURRENT, MODULE_NAME_LEN
from simkernel.kernel.sched.wait import sleep_on
from tests.kernel.conftest import Bench


@pytest.fixture
def machine() -> Iterator[Machine]:
    with Machine(udev=False) as machine:
        yield machine


def ask(machine: Machine, *names: str, until: int = seconds(100)) -> list[int]:
    """Call request_module() for each name at the same time, and return the results."""
    answers: dict[int, int] = {}

    async def asker(number: int, name: str) -> None:
        answers[number] = await machine.kernel.modules.requests.request(name)

    for number, name in enumerate(names):
        machine.kernel.processes.kthread(f"asker{number}", asker(number, name))
    machine.run(until=until)
    return [answers[number] for number in range(len(names))]


def test_modprobe_runs_as_root_and_loads_it(bench: Bench) -> None:
    bench.module("m", aliases=("anything",))
    assert ask(bench.machine, "anything") == [0]
    assert bench.states() == {"m": "Live"}
    assert bench.machine.kernel.modules.requests.count == 1


def test_modprobe_that_fails_says_so(machine: Machine) -> None:
    (status,) = ask(machine, "nosuch")
    assert status > 0


def test_without_modprobe_nothing_is_found(machine: Machine) -> None:
    machine.kernel.modules.requests._modprobe = None
    assert ask(machine, "hello") == [-errno.ENOENT]


def test_a_name_that_is_too_long(machine: Machine) -> None:
    assert ask(machine, "x" * MODULE_NAME_LEN) == [-errno.ENAMETOOLONG]


def slow_modprobe(machine: Machine, ns: int) -> list[str]:
    """Install a modprobe that runs for `ns` nanoseconds. Return the list in which modprobe records its
    arguments.
    """
    seen: list[str] = []

    async def modprobe(name: str) -> int:
        seen.append(name)
        await sleep_on(deadline=machine.engine.time() + ns)
        return 0

    machine.kernel.modules.requests._modprobe = modprobe
    return seen


def test_so_many_at_a_time(machine: Machine) -> None:
    seen = slow_modprobe(machine, seconds(1))
    names = [f"m{number}" for number in range(MAX_CONCURRENT + 5)]
    answers = ask(machine, *names)
    assert answers == [0] * len(names)
    assert seen == names


def test_a_reply_after_the_timeout_is_refused(machine: Machine) -> None:
    slow_modprobe(machine, seconds(50))
    answers = ask(machine, *(f"m{number}" for number in range(MAX_CONCURRENT + 1)))
    assert answers == [0] * MAX_CONCURRENT + [-errno.ETIME]
    assert machine.log.records[-1].text == (
        f"request_module: modprobe m{MAX_CONCURRENT} cannot be processed, kmod busy with 50 threads "
        "for more than 5 seconds now"
    )


def test_a_socket_of_an_unregistered_protocol_requests_its_module(machine: Machine) -> None:
    names: list[Any] = []

    async def modprobe(name: str) -> int:
        names.append(name)
        return 1

    machine.kernel.modules.requests._modprobe = modprobe
    with pytest.raises(OSError) as raised:
        machine.blocking(uid=1000).socket(proto=30)
    assert raised.value.errno == errno.EPROTONOSUPPORT
    assert names == ["net-pf-16-proto-30"]
