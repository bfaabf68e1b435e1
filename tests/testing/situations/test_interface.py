"""The functions of simkernel.testing.situations have the same interface, for every kind of program."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from typing import Any

import pytest

from simkernel import Machine, millis
from simkernel.explore.faults import Injector
from simkernel.hardware import Mouse
from simkernel.hosted import hosted
from simkernel.testing import situations
from simkernel.testing.situations import SITUATIONS, Occurrence, late_reply, module_reloaded, overrun
from simkernel.uapi.netlink import NETLINK_GENERIC, NLM_F_ACK, NLM_F_REQUEST, message

ACK = message(1, flags=NLM_F_REQUEST | NLM_F_ACK, seq=1)
DELAY = millis(700)


def waits(machine: Machine, sock: Any) -> int:
    before = machine.now
    sock.send(ACK)
    sock.recv(100)
    return machine.now - before


def by_facade(machine: Machine) -> int:
    return waits(machine, machine.blocking().socket(proto=NETLINK_GENERIC))


def by_async_program(machine: Machine) -> int:
    waited: list[int] = []

    async def client(app: Any) -> None:
        sock = await app.socket(proto=NETLINK_GENERIC)
        before = machine.now
        await sock.send(ACK)
        await sock.recv(100)
        waited.append(machine.now - before)

    machine.spawn(client)
    machine.run()
    return waited[0]


def by_plain_program(machine: Machine) -> int:
    waited: list[int] = []
    machine.spawn(lambda app: waited.append(waits(machine, app.socket(proto=NETLINK_GENERIC))), name="client")
    machine.run()
    return waited[0]


def by_hosted_package(machine: Machine) -> int:
    if sys.platform != "linux":
        pytest.skip("hosted programs want Linux's Python")
    pytest.importorskip("pyroute2")
    with hosted(machine, "pyroute2") as host:
        socket: Any = host.socket
        return waits(machine, socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_GENERIC))


KINDS = [by_facade, by_async_program, by_plain_program, by_hosted_package]


@pytest.mark.parametrize("kind", KINDS)
def test_a_situation_is_the_same_for_every_kind_of_program(kind: Callable[[Machine], int]) -> None:
    with Machine(seed=3) as machine:
        assert kind(machine) < millis(1)
        with late_reply(machine, delay=DELAY):
            assert kind(machine) >= DELAY


@pytest.mark.parametrize("chosen", ["name", "pid", "process", "app", "façade"])
def test_program_selects_a_program(chosen: str) -> None:
    apps: list[Any] = []

    async def client(app: Any) -> None:
        apps.append(app)
        sock = await app.socket(proto=NETLINK_GENERIC)
        await app.sleep(0.1)
        await sock.send(ACK)
        await sock.recv(100)

    with Machine(check_leaks=True) as machine:
        process = machine.spawn(client)
        machine.run(until=millis(1))
        facade = machine.blocking()
        who = {"name": "client", "pid": process.pid, "process": process, "app": apps[0], "façade": facade}[
            chosen
        ]
        with late_reply(machine, who, delay=DELAY):
            assert (waits(machine, facade.socket(proto=NETLINK_GENERIC)) >= DELAY) is (chosen == "façade")
            machine.run()
        assert machine.now >= DELAY + millis(0 if chosen == "façade" else 100)


def test_daemons_are_concerned_only_by_name() -> None:
    with Machine() as machine:
        with pytest.raises(AssertionError), overrun(machine):
            machine.plug(Mouse())
            machine.run()
        with overrun(machine, "udevd"):
            machine.unplug(machine.bus.devices()[0])
            machine.run()


def test_a_situation_can_be_requested_at_an_instant() -> None:
    with Machine() as machine:
        machine.plug(Mouse())
        machine.run(until=millis(100))
        before = machine.blocking().genetlink("mouse").family.id
        machine.at(millis(150), module_reloaded, machine, "mouse")
        machine.run(until=millis(200))
        assert machine.blocking().genetlink("mouse").family.id > before


def test_an_error_of_the_block_is_not_hidden() -> None:
    with Machine() as machine, pytest.raises(ZeroDivisionError), overrun(machine):
        1 / 0


def test_a_situation_happens_as_often_as_it_is_requested() -> None:
    with Machine() as machine:
        monitor = machine.blocking().uevents()
        occurrence = overrun(machine, lost=2)
        machine.plug(Mouse())
        machine.run()
        assert (occurrence.happened, occurrence.armed) == (2, False)
        assert machine.statistics["netlink"]["overruns"] > 2  # the socket stays congested until it is read
        with pytest.raises(OSError, match="buffer space"):
            next(monitor)


def test_a_disarmed_situation_leaves_no_listener() -> None:
    with Machine(faults=Injector()) as machine:
        machine.blocking()
        for name in SITUATIONS:
            function = getattr(situations, name.replace("-", "_"))
            required = [
                each.name
                for each in inspect.signature(function).parameters.values()
                if each.default is inspect.Parameter.empty
            ]
            if required == ["machine"] and name != "syn-dropped":
                occurrence = function(machine)
                assert isinstance(occurrence, Occurrence)
                occurrence.disarm()
        assert machine.trace.emit is None


def test_the_registry_has_every_function() -> None:
    functions = {name for name, value in vars(situations).items() if inspect.isfunction(value)}
    assert {name.replace("-", "_") for name in SITUATIONS} == functions


@pytest.mark.parametrize("name", SITUATIONS)
def test_an_entry_is_complete(name: str) -> None:
    situation = SITUATIONS[name]
    assert situation.summary.endswith(".")
    assert "()" in situation.linux
    assert situation.evidence
    for address in situation.evidence:
        host, _, path = address.partition("//")[2].partition("/")
        _, _, kind, number = path.split("/")
        assert (host, kind in ("issues", "pull"), number.isdigit()) == ("github.com", True, True)


@pytest.mark.parametrize("name", SITUATIONS)
def test_a_snippet_runs_and_prints(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    snippet = SITUATIONS[name].snippet
    if "hosted" in snippet:
        pytest.importorskip("linuxpy")
    assert f"import {name.replace('-', '_')}" in snippet
    exec(compile(snippet, name, "exec"), {})
    assert capsys.readouterr().out
