"""Rows 10 to 12 of the benchmark: whole machines, and whole Python processes.

Machines are measured in absolute time.  To make figures comparable between hosts, they are divided by the
ratio of simpy's event time here to that on the host for which the aims were set.
"""

from __future__ import annotations

import runpy
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from time import perf_counter
from typing import Final

from simkernel.engine import InternalError, millis
from simkernel.hardware import Camera, Mouse
from simkernel.machine import Machine
from simkernel.scenario import Run, Scenario
from simkernel.shipped import shipped
from simkernel.tools.bench.stopwatch import Work, cpu_time

REFERENCE: Final = 0.75e-6
"""Time in seconds of one simpy event on the reference host. The aims of the benchmark were set for this host.
"""
DISCOVERY: Final = millis(20)
"""Simulated nanoseconds until udevd has loaded the drivers of devices that are plugged in at boot."""
STREAM: Final = 5
"""Simulated seconds of one camera stream."""


@contextmanager
def repeated(action: Callable[[], object], clock: Callable[[], float] = cpu_time) -> Iterator[Work]:
    """Benchmark: repeat an action. The action must take so long that the cost of the Python call
    is negligible.
    """

    def run(iterations: int) -> None:
        for _ in range(iterations):
            action()

    yield Work(run, clock=clock)


def boot() -> None:
    """Make, boot and close a machine."""
    Machine().close()


def boot_with_devices() -> None:
    """Make, boot and close a machine with a camera and a mouse, and load their drivers."""
    with Machine() as machine:
        machine.plug(Camera())
        machine.plug(Mouse())
        machine.run(until=DISCOVERY)


def python(*arguments: str) -> None:
    """Run a Python interpreter from its start to its exit."""
    subprocess.run([sys.executable, *arguments], stdout=subprocess.DEVNULL, check=True)


@contextmanager
def camera() -> Iterator[Work]:
    """Work to be timed: simulated seconds of the scenario `camera`. The camera makes 30 frames/s of 640x480
    pixels, and a program reads and checks each frame.
    """
    scenario: Scenario = runpy.run_path(str(shipped("scenarios") / "camera.py"))["camera"]

    def run(iterations: int) -> int:
        for _ in range(iterations):
            figures = Run(scenario, parameters={"duration": float(STREAM)}).execute().metrics
            if figures["frames_read"] < STREAM * 29 or figures["checksum_errors"]:
                raise InternalError(f"the camera's frames did not arrive; please report this: {figures}")
        return iterations * STREAM

    yield Work(run)


bare: Final = partial(repeated, boot)
equipped: Final = partial(repeated, boot_with_devices)
listing: Final = partial(repeated, partial(python, "-m", "simkernel", "list"), perf_counter)
import_simpy: Final = partial(repeated, partial(python, "-c", "import simpy"), perf_counter)
