"""Counters of a machine (`Machine.statistics`), and the number of its events (`Machine.events`)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from simkernel import Machine, millis
from simkernel.hardware import Camera
from simkernel.uapi.netlink import NETLINK_USERSOCK
from simkernel.uapi.socket import AF_NETLINK, SOCK_RAW


async def echo(app: Any, port: int) -> None:
    sock = await app.socket(AF_NETLINK, SOCK_RAW, NETLINK_USERSOCK)
    await sock.bind((port, 0))
    await sock.sendto(b"x", (port, 0))
    await sock.recv(10)
    await app.sleep(1)


def test_they_are_plain_data() -> None:
    with Machine() as machine:
        machine.plug(Camera())
        machine.spawn(echo, 7)
        machine.run(until=millis(100))
        statistics = machine.statistics
    assert json.loads(json.dumps(statistics, sort_keys=True)).keys() == statistics.keys()


def test_records_describe_the_event() -> None:
    with Machine(udev=False) as machine:
        before = machine.statistics
        machine.spawn(echo, 7)
        machine.run(until=millis(100))
        after = machine.statistics
    assert after["system_calls"] - before["system_calls"] == 5
    assert after["processes"]["forks"] - before["processes"]["forks"] == 1
    assert after["netlink"]["delivered"] - before["netlink"]["delivered"] == 1
    assert after["netlink"]["received"] - before["netlink"]["received"] == 1
    assert after["netlink"]["sockets"] - before["netlink"]["sockets"] == 1


def test_a_device_keeps_its_counters_when_it_is_gone() -> None:
    with Machine(udev=False) as machine:
        camera = Camera()
        machine.plug(camera)
        machine.unplug(camera)
        assert machine.statistics["devices"]["camera0"]["started"] == 0


def test_events_do_not_depend_on_observers() -> None:
    counts = []
    for traced in (False, True):
        with Machine(seed=3) as machine:
            if traced:
                machine.trace.subscribe(lambda record: None)
            machine.plug(Camera())
            machine.spawn(echo, 7)
            machine.run(until=millis(100))
            counts.append(machine.events)
    assert counts[0] == counts[1] > 0


def test_an_access_to_an_unplugged_device_is_recorded() -> None:
    with Machine(udev=False) as machine:
        before = machine.events
        machine.bus.readl(machine.bus.slots[3].address)
        assert machine.events == before + 1
        assert machine.statistics["bus"]["aborts"] == 1


def test_a_failed_program_is_counted() -> None:
    async def fails(app: Any) -> None:
        raise ValueError("of its own")

    with Machine(udev=False) as machine:
        machine.spawn(fails)
        with pytest.raises(ExceptionGroup):
            machine.run(until=millis(100))
        assert machine.statistics["processes"]["failed"] == 1


async def through_a_pipe(app: Any) -> None:
    there, here = await app.pipe()
    await app.write(here, bytes(3000))
    await app.read(there, 2000)


def test_copies_are_counted_on_request() -> None:
    with Machine(udev=False) as machine:
        assert machine.statistics["copies"] is None
    times = []
    for instrumented in (False, True):
        with Machine(udev=False, instrumented=instrumented) as machine:
            before = machine.statistics["copies"]
            machine.spawn(through_a_pipe)
            machine.run()
            after = machine.statistics["copies"]
            times.append(machine.now)
    assert times[0] == times[1]
    assert after["count"] - before["count"] == 2
    assert after["bytes"] - before["bytes"] == 5000


def test_cpus_are_busy_while_tasks_have_them() -> None:
    async def works(app: Any, ns: int) -> None:
        await app.sleep(0.001)
        await app.compute(ns)

    with Machine(udev=False) as machine:
        assert machine.statistics["cpus"] == []
    with Machine(udev=False, cpus=2) as machine:
        for ns in (7_000_000, 11_000_000, 13_000_000):
            machine.spawn(works, ns)
        begun = machine.now
        machine.run()
        cpus = machine.statistics["cpus"]
    busy = [cpu["busy_ns"] for cpu in cpus]
    assert 31_000_000 < sum(busy) < 31_000_000 + 3_000_000
    assert all(each <= machine.now - begun for each in busy)
    assert all(cpu["switches"] >= 2 for cpu in cpus)


def test_interrupts_of_an_idle_cpu_count_as_busy() -> None:
    """The first CPU handles all interrupts, also while it runs no task."""
    with Machine(udev=False, cpus=2) as machine:
        machine.kernel.interrupts.request(None, 9, lambda irq, cookie: 1, "bell")
        machine.run(until=millis(1))
        before = [cpu["busy_ns"] for cpu in machine.statistics["cpus"]]
        for _ in range(3):
            machine.kernel.interrupts.handle(9)
            machine.run(until=machine.now + millis(1))
        after = [cpu["busy_ns"] for cpu in machine.statistics["cpus"]]
    cost = machine.kernel.costs.interrupt
    assert [late - early for late, early in zip(after, before, strict=True)] == [3 * cost, 0]


def test_each_load_and_unload_of_a_module_is_counted() -> None:
    with Machine(udev=False) as machine:
        root = machine.blocking()
        for count in (1, 2, 3):
            root.modprobe("hello")
            assert machine.statistics["modules"]["loaded"] == 1
            root.rmmod("hello")
            found = machine.statistics["modules"]
            assert (found["loads"], found["unloads"], found["loaded"], found["leaks"]) == (count, count, 0, 0)
