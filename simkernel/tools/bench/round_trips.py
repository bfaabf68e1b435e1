"""Rows 1, 2 and 7 of the benchmark: GETFAMILY round trips, with the simulated kernel and with the real
kernel.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Final

from simkernel.application.app import App
from simkernel.application.socket import AnySocket
from simkernel.engine import micros
from simkernel.machine import Machine
from simkernel.tools.bench.anchors import real_socket
from simkernel.tools.bench.stopwatch import Work
from simkernel.tools.bench.worker import Worker
from simkernel.uapi.genetlink import CTRL_ATTR_FAMILY_NAME, CTRL_CMD_GETFAMILY, GENL_ID_CTRL, GenlMsgHdr
from simkernel.uapi.netlink import NETLINK_GENERIC, NLM_F_REQUEST, attribute, message
from simkernel.uapi.resource import RLIMIT_NOFILE
from simkernel.uapi.socket import AF_NETLINK, SOCK_RAW

PROBE: Final = micros(5)
"""Simulated nanoseconds of a trial run.  The number of its round trips determines the length of the
measured run.
"""
FAMILY: Final = "nlctrl"
GETFAMILY: Final = message(
    GENL_ID_CTRL,
    GenlMsgHdr(CTRL_CMD_GETFAMILY).pack() + attribute(CTRL_ATTR_FAMILY_NAME, FAMILY.encode() + b"\0"),
    flags=NLM_F_REQUEST,
)
"""A request to nlctrl for its own family."""
BUFFER: Final = 8192
"""Size of the receive buffer in bytes."""


async def open_socket(app: App) -> AnySocket:
    """Open a generic netlink socket and bind it."""
    sock: AnySocket = await app.socket(AF_NETLINK, SOCK_RAW, NETLINK_GENERIC)
    await sock.bind((0, 0))
    return sock


async def open_idle(app: App, number: int) -> None:
    """Open sockets that stay open and idle."""
    for _ in range(number):
        await open_socket(app)


async def ask(app: App, sock: AnySocket, iterations: int) -> None:
    """Make round trips: send a request and receive the reply."""
    for _ in range(iterations):
        await sock.send(GETFAMILY)
        await sock.recv(BUFFER)


async def ask_for_ever(app: App) -> None:
    """A program that makes round trips in an endless loop."""
    await ask(app, await open_socket(app), sys.maxsize)


@contextmanager
def beside_idle_sockets(number: int) -> Iterator[Work]:
    """Benchmark: round trips of one program while `number` other sockets are open."""
    with Machine(udev=False) as machine:
        worker = Worker(machine)
        worker.do(App.setrlimit, RLIMIT_NOFILE, (number + 100,) * 2)
        worker.do(open_idle, number)
        sock = worker.do(open_socket)
        yield Work(lambda iterations: worker.do(ask, sock, iterations))


round_trips: Final = partial(beside_idle_sockets, 0)


@contextmanager
def real_round_trips() -> Iterator[Work]:
    """The anchor R of the benchmark: GETFAMILY round trips (send and recv) on the real kernel, as work to be
    timed.
    """
    with real_socket(NETLINK_GENERIC) as sock:
        sock.bind((0, 0))

        def run(iterations: int) -> None:
            for _ in range(iterations):
                sock.send(GETFAMILY)
                sock.recv(BUFFER)

        yield Work(run)


@contextmanager
def by_processes(number: int) -> Iterator[Work]:
    """Benchmark: round trips of `number` processes that are all active."""
    with Machine(udev=False) as machine:
        for _ in range(number):
            machine.spawn(ask_for_ever)

        def pass_time(ns: int) -> int:
            before = machine.kernel.processes.runner.system_calls
            machine.run(until=machine.now + ns)
            return (machine.kernel.processes.runner.system_calls - before) // 2

        while pass_time(PROBE) < number:
            pass  # warm up until all processes have started
        period = PROBE * number // pass_time(PROBE)
        yield Work(lambda iterations: pass_time(max(1, -(-iterations // number)) * period))
