"""Row 8 of the benchmark: memory of an idle socket, and of a process that waits in recv."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from simkernel.application.app import App
from simkernel.engine import millis
from simkernel.machine import Machine
from simkernel.tools.bench.round_trips import BUFFER, open_idle, open_socket
from simkernel.tools.bench.stopwatch import Work
from simkernel.tools.bench.worker import Worker
from simkernel.uapi.resource import RLIMIT_NOFILE

DESCRIPTORS: Final = 1 << 20


@contextmanager
def sockets() -> Iterator[Work]:
    """Create bound sockets in one program. Only the program's open descriptors refer to the sockets."""
    with Machine(udev=False) as machine:
        worker = Worker(machine)
        worker.do(App.setrlimit, RLIMIT_NOFILE, (DESCRIPTORS, DESCRIPTORS))
        yield Work(lambda iterations: worker.do(open_idle, iterations))


async def wait(app: App) -> None:
    """A program that opens a generic netlink socket and blocks in recv, because no message arrives."""
    sock = await open_socket(app)
    await sock.recv(BUFFER)


@contextmanager
def processes() -> Iterator[Work]:
    """Start processes that each wait in recv on a socket."""
    with Machine(udev=False) as machine:

        def run(iterations: int) -> None:
            for _ in range(iterations):
                machine.spawn(wait)
            machine.run(until=machine.now + millis(10))

        yield Work(run)
