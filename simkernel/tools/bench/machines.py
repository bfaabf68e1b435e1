"""Rows 10 to 12: whole machines, and whole processes of Python.

Machines are measured in absolute time.  So that the figures mean the same everywhere, they are divided by how
much longer simpy's event takes here than on the machine for which the aims were set.
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
"""Seconds that simpy's event takes on the machine for which the aims were set."""
DISCOVERY: Final = millis(20)
"""Simulated time in which udevd has loaded the drivers of what was there from the beginning."""
STREAM: Final = 5
"""Simulated seconds that the camera streams."""


@contextmanager
def repeated(action: Callable[[], object], clock: Callable[[], float] = cpu_time) -> Iterator[Work]:
    """An action that takes so long that calling it does not count."""

    def run(often: int) -> None:
        for _ in range(often):
            action()

    yield Work(run, clock=clock)


def boot() -> None:
    """Make, boot and close a machine."""
    Machine().close()


def boot_with_devices() -> None:
    """The same with camera and mouse, their drivers loaded."""
    with Machine() as machine:
        machine.plug(Camera())
        machine.plug(Mouse())
        machine.run(until=DISCOVERY)


def python(*arguments: str) -> None:
    """Run an interpreter from its start to its end."""
    subprocess.run([sys.executable, *arguments], stdout=subprocess.DEVNULL, check=True)


@contextmanager
def camera() -> Iterator[Work]:
    """Simulated seconds of the scenario camera: 640x480 at 30 frames/s, each frame read and checked."""
    scenario: Scenario = runpy.run_path(str(shipped("scenarios") / "camera.py"))["camera"]

    def run(often: int) -> int:
        for _ in range(often):
            figures = Run(scenario, parameters={"duration": float(STREAM)}).execute().metrics
            if figures["frames_read"] < STREAM * 29 or figures["checksum_errors"]:
                raise InternalError(f"the camera's frames did not arrive, please report: {figures}")
        return often * STREAM

    yield Work(run)


bare: Final = partial(repeated, boot)
equipped: Final = partial(repeated, boot_with_devices)
listing: Final = partial(repeated, partial(python, "-m", "simkernel", "list"), perf_counter)
import_simpy: Final = partial(repeated, partial(python, "-c", "import simpy"), perf_counter)
