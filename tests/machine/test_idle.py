"""run(on_idle="raise") raises Deadlock if no event can wake a program, and lists the sleepers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from simkernel import Deadlock, Machine, SimulationError, seconds
from simkernel.uapi.netlink import NETLINK_USERSOCK
from simkernel.uapi.socket import AF_NETLINK, SOCK_RAW


async def reads(app: Any) -> None:
    """Wait for a byte that no process writes."""
    reader, _ = await app.pipe()
    await app.read(reader, 1)


async def parent(app: Any) -> None:
    """Wait for a child that waits."""
    await app.spawn(reads)
    await app.wait()


async def receives(app: Any) -> None:
    """Wait for a message."""
    sock = await app.socket(AF_NETLINK, SOCK_RAW, NETLINK_USERSOCK)
    await sock.recv(1)


async def ends(app: Any) -> None:
    """Sleep and end."""
    await app.sleep(1)


async def thread(app: Any) -> None:
    """Start a thread that blocks, and end the first thread."""
    await app.thread(reads)


async def deadlocks(app: Any) -> None:
    """Deadlock with a child: each reads from a pipe into which only the other one would write."""
    here, there = await app.pipe(), await app.pipe()

    async def child(app: Any) -> None:
        await app.read(there[0], 1)
        await app.write(here[1], b"x")

    await app.spawn(child)
    await app.read(here[0], 1)


@pytest.mark.parametrize("cpus", [None, 1])
def test_the_deadlock_lists_each_sleeper_and_where_it_sleeps(cpus: int | None) -> None:
    with Machine(cpus=cpus) as machine:
        machine.spawn(parent)
        machine.spawn(receives)
        machine.spawn(ends)
        with pytest.raises(Deadlock) as deadlock:
            machine.run(on_idle="raise")
        text = str(deadlock.value)
        assert text.startswith("no event is left that could wake a program; asleep: parent/")
        assert "in wait4 on the children of parent/" in text
        assert "in read on data in pipe 1" in text
        assert "in recvfrom on netlink protocol 2" in text
        assert "ends/" not in text
        assert "udevd" not in text
        assert seconds(1) < machine.now < seconds(1.1)


def test_two_programs_that_wait_for_each_other_are_named() -> None:
    with Machine(udev=False) as machine:
        machine.spawn(deadlocks)
        with pytest.raises(
            Deadlock, match=r"deadlocks/\d+ in read on .* pipe 1; child/\d+ in read on .* pipe 2"
        ):
            machine.run(on_idle="raise")


def test_daemons_their_children_facades_and_workers_may_sleep_for_ever(tmp_path: Path) -> None:
    (tmp_path / "works.py").write_text("""
from simkernel.driverapi.module import Module
from simkernel.driverapi.workqueue import alloc_workqueue, destroy_workqueue, init_work, queue_work

MODULE = Module(license="GPL")


def init(this):
    queue = alloc_workqueue(this, "works", 1)
    queue_work(queue, init_work(this, lambda work: None))
    return queue


async def exit(this, queue):
    await destroy_workqueue(queue)
""")
    with Machine(module_path=[tmp_path]) as machine:
        machine.spawn(parent, daemon=True)
        machine.spawn(thread, daemon=True)
        machine.blocking().modprobe("works")
        machine.spawn(ends)
        machine.run(on_idle="raise")
        machine.spawn(ends)
        machine.run(until=seconds(9), on_idle="raise")
        assert machine.now == seconds(9)


def test_a_run_with_pending_events_is_not_idle() -> None:
    with Machine() as machine:
        machine.spawn(receives)
        machine.at(seconds(5), lambda: None)
        machine.run(until=seconds(2), on_idle="raise")
        with pytest.raises(Deadlock):
            machine.run(until=seconds(9), on_idle="raise")
        machine.run()


def test_an_exception_of_a_program_is_raised_instead_of_the_deadlock() -> None:
    async def fails(app: Any) -> None:
        raise ValueError

    with Machine() as machine:
        machine.spawn(receives)
        machine.spawn(fails)
        with pytest.raises(ExceptionGroup):
            machine.run(on_idle="raise")
        with pytest.raises(Deadlock):
            machine.run(on_idle="raise")


@pytest.mark.parametrize("on_idle", [None, True, "Raise", "error"])
def test_other_values_are_refused(on_idle: Any) -> None:
    with Machine() as machine, pytest.raises(SimulationError, match='use "return" or "raise"'):
        machine.run(on_idle=on_idle)
