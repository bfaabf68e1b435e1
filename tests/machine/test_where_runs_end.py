"""A run ends at the instant of its last event.  Cancelled timeouts do not move the clock."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from simkernel import Machine, millis, seconds
from simkernel.engine.engine import MIN_CANCELLED
from simkernel.hardware.bus import Device
from simkernel.uapi.poll import POLLIN
from simkernel.uapi.signal import SIGKILL

HOUR = 3600


async def polls(app: Any, fd: int) -> None:
    """Wait up to an hour with poll(2)."""
    assert await app.poll([(fd, POLLIN)], HOUR * 1000) == [(fd, POLLIN)]


async def selects(app: Any, fd: int) -> None:
    """Wait up to an hour with select(2)."""
    assert await app.select([fd], [], [], HOUR) == ([fd], [], [])


async def epolls(app: Any, fd: int) -> None:
    """Wait up to an hour with epoll_wait(2)."""
    epoll = await app.epoll()
    await epoll.register(fd, POLLIN)
    assert await epoll.poll(HOUR) == [(fd, POLLIN)]


async def is_killed(app: Any, fd: int) -> None:
    """Sleep for an hour, and get killed."""
    await app.sleep(HOUR)


@pytest.mark.parametrize("cpus", [None, 1])
@pytest.mark.parametrize("waits", [polls, selects, epolls, is_killed])
def test_a_timeout_that_does_not_expire_does_not_move_the_clock(waits: Any, cpus: int | None) -> None:
    async def program(app: Any) -> None:
        reader, writer = await app.pipe()
        child = await app.spawn(waits, reader)
        await app.sleep(3)
        await app.write(writer, b"x")
        if waits is is_killed:
            await app.kill(child, SIGKILL)
        await app.wait()

    with Machine(udev=False, cpus=cpus) as machine:
        machine.spawn(program)
        machine.run()
        assert seconds(3) < machine.now < seconds(3) + millis(1)


def test_a_socket_timeout_is_gone_after_each_call() -> None:
    queued = []

    async def echo(app: Any, fd: int) -> None:
        sock = await app.socket(fileno=fd)
        while data := await sock.recv(1):
            await sock.send(data)

    async def program(app: Any) -> None:
        here, there = await app.socketpair()
        await app.spawn(echo, there.fileno())
        await there.close()
        await here.settimeout(600)
        for _ in range(500):
            await here.send(b"x")
            await here.recv(1)
            queued.append(len(machine.engine.queue))

    with Machine(udev=False) as machine:
        machine.spawn(program)
        machine.run()
        assert machine.now < seconds(1)
        assert max(queued) <= MIN_CANCELLED + 10


class Watchdog(Device):
    """A device that repeatedly schedules an event and cancels it."""

    vendor_id, device_id = 0x1234, 0x0001

    def power_on(self) -> None:
        self.watch = self.after(seconds(600), self.barks)

    def barks(self) -> None:
        raise AssertionError

    def pat(self) -> None:
        self.watch.cancel()
        self.watch = self.after(seconds(600), self.barks)


def test_events_that_a_device_cancels_are_not_kept() -> None:
    with Machine(udev=False) as machine:
        machine.plug(watchdog := Watchdog())
        for number in range(2000):
            machine.run(until=number * 1000)
            watchdog.pat()
        assert len(watchdog._agenda) <= MIN_CANCELLED
        assert len(machine.engine.queue) <= MIN_CANCELLED + 10
        machine.unplug(watchdog)
        machine.run()
        assert machine.now < seconds(1)


def test_a_timer_that_a_driver_moves_is_not_kept(tmp_path: Path) -> None:
    (tmp_path / "moves.py").write_text("""
from simkernel.driverapi.ktime import ktime_get
from simkernel.driverapi.module import Module
from simkernel.driverapi.timer import mod_timer, timer_delete, timer_setup

MODULE = Module(license="GPL")


def init(this):
    timer = timer_setup(this, print)
    for number in range(1000):
        mod_timer(timer, ktime_get(this) + 10**12)
    return timer


def exit(this, timer):
    timer_delete(timer)
""")
    with Machine(udev=False, module_path=[tmp_path]) as machine:
        root = machine.blocking()
        root.modprobe("moves")
        assert len(machine.engine.queue) <= MIN_CANCELLED + 10
        root.rmmod("moves")
        machine.run()
        assert machine.now < seconds(1)
