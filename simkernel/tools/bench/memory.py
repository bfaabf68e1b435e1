"""Row 8: how many bytes an idle socket takes, and a process that waits in one.

By tracemalloc: what Python has allotted for it, in the kernel, in the engine and in the program.
"""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Final

from simkernel.application.app import App
from simkernel.engine import millis
from simkernel.machine import Machine
from simkernel.tools.bench.messages import BUFFER
from simkernel.tools.bench.quantity import Measure, Measurement
from simkernel.tools.bench.round_trips import open_idle, open_socket
from simkernel.tools.bench.stopwatch import Effort, Subject, Work, fluctuation
from simkernel.tools.bench.worker import Worker

PARTS: Final = 4
"""The crowd comes in so many parts: how far they disagree is the spread."""

DESCRIPTORS: Final = 1 << 20


@contextmanager
def sockets() -> Iterator[Work]:
    """Sockets with a port id and a descriptor, all of one program, which keeps nothing else of them."""
    with Machine(udev=False) as machine:
        worker = Worker(machine)
        worker.do(lambda app: app.setrlimit_nofile(DESCRIPTORS))

        def run(often: int) -> int:
            worker.do(lambda app: open_idle(app, often))
            return often

        yield Work(run)


async def wait(app: App) -> None:
    """A program that waits for a message."""
    sock = await open_socket(app)
    await sock.recv(BUFFER)


@contextmanager
def processes() -> Iterator[Work]:
    """Processes with a socket each, waiting in recv."""
    with Machine(udev=False) as machine:

        def run(often: int) -> int:
            for _ in range(often):
                machine.spawn(wait)
            machine.run(until=machine.now + millis(10))
            return often

        yield Work(run)


def bytes_each(crowd: Callable[[Effort], int]) -> Measure:
    """Bytes for each of a crowd."""

    def measure(subject: Subject, effort: Effort) -> Measurement:
        part = max(1, crowd(effort) // PARTS)
        with subject() as work:
            work.run(1)
            tracemalloc.start()
            try:
                taken = [_allotted()]
                for _ in range(PARTS):
                    work.run(part)
                    taken.append(_allotted())
            finally:
                tracemalloc.stop()
        each = [(after - before) / part for before, after in pairwise(taken)]
        return Measurement((taken[-1] - taken[0]) / (PARTS * part), 1.0, fluctuation(each))

    return measure


def _allotted() -> int:
    gc.collect()
    return tracemalloc.get_traced_memory()[0]
