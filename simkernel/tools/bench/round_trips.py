"""Rows 1, 2 and 7: GETFAMILY round trips, by a program in the machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from simkernel.application.app import App
from simkernel.application.socket import AnySocket
from simkernel.engine import micros
from simkernel.machine import Machine
from simkernel.tools.bench.messages import BUFFER, GETFAMILY
from simkernel.tools.bench.stopwatch import Subject, Work
from simkernel.tools.bench.worker import Worker
from simkernel.uapi.netlink import NETLINK_GENERIC
from simkernel.uapi.socket import AF_NETLINK, SOCK_RAW

PROBE: Final = micros(5)
"""Simulated time after which it is known how many round trips a process makes in it."""


async def open_socket(app: App) -> AnySocket:
    """A generic netlink socket with a port id."""
    sock: AnySocket = await app.socket(AF_NETLINK, SOCK_RAW, NETLINK_GENERIC)
    await sock.bind((0, 0))
    return sock


async def open_idle(app: App, number: int) -> None:
    """Open sockets that stay open."""
    for _ in range(number):
        await open_socket(app)


async def ask(sock: AnySocket, often: int) -> None:
    """Make round trips."""
    for _ in range(often):
        await sock.send(GETFAMILY)
        await sock.recv(BUFFER)


async def ask_for_ever(app: App) -> None:
    """A program that makes round trips and nothing else."""
    sock = await open_socket(app)
    while True:
        await sock.send(GETFAMILY)
        await sock.recv(BUFFER)


def beside_idle_sockets(number: int) -> Subject:
    """One program's round trips, while so many other sockets are open."""

    @contextmanager
    def subject() -> Iterator[Work]:
        with Machine(udev=False) as machine:
            worker = Worker(machine)
            worker.do(lambda app: app.setrlimit_nofile(number + 100))
            worker.do(lambda app: open_idle(app, number))
            sock = worker.do(open_socket)

            def run(often: int) -> int:
                worker.do(lambda app: ask(sock, often))
                return often

            yield Work(run)

    return subject


def by_processes(number: int) -> Subject:
    """The round trips of so many processes, each of which is active all the time."""

    @contextmanager
    def subject() -> Iterator[Work]:
        with Machine(udev=False) as machine:
            for _ in range(number):
                machine.spawn(ask_for_ever)

            def done() -> int:
                return machine.kernel.processes.runner.system_calls // 2

            def pass_time(ns: int) -> int:
                before = done()
                machine.run(until=machine.now + ns)
                return done() - before

            while pass_time(PROBE) < number:
                pass  # they are starting
            period = PROBE * number // pass_time(PROBE)

            def run(often: int) -> int:
                return pass_time(max(1, -(-often // number)) * period)

            yield Work(run)

    return subject


round_trips: Final = beside_idle_sockets(0)
