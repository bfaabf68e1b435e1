"""Rows 10 and 11: whole machines, which are measured in absolute time.

So that the figures mean the same everywhere, they are divided by how much longer simpy's event takes
here than on the machine for which the aims were set.
"""

from __future__ import annotations

import runpy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from simkernel.engine import InternalError, millis
from simkernel.hardware import Camera, Mouse
from simkernel.machine import Machine
from simkernel.scenario import Run, Scenario
from simkernel.shipped import shipped
from simkernel.tools.bench.anchors import timeouts
from simkernel.tools.bench.quantity import Lacking, Measurement
from simkernel.tools.bench.stopwatch import Effort, Subject, Times, Work, side_by_side, spread, timed

MILLISECONDS: Final = 1e3
REFERENCE: Final = 0.75e-6
"""Seconds that simpy's event takes on the machine for which the aims were set."""
DISCOVERY: Final = millis(20)
"""Simulated time in which udevd has loaded the drivers of what was there from the beginning."""
STREAM: Final = 5
"""Simulated seconds that the camera streams."""
BATCH, BATCHES = 5, 100
"""How many machines are timed together, and how often, before and after."""


@contextmanager
def bare() -> Iterator[Work]:
    """Machines made, booted and closed."""

    def run(often: int) -> int:
        for _ in range(often):
            with Machine():
                pass
        return often

    yield Work(run)


@contextmanager
def equipped() -> Iterator[Work]:
    """Machines with camera and mouse, their drivers loaded."""

    def run(often: int) -> int:
        for _ in range(often):
            with Machine() as machine:
                machine.plug(Camera())
                machine.plug(Mouse())
                machine.run(until=DISCOVERY)
        return often

    yield Work(run)


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


def milliseconds(subject: Subject, effort: Effort) -> Measurement:
    """Milliseconds each, where simpy's event takes the reference time."""
    times, anchors = side_by_side(effort, subject, timeouts)
    return Measurement(times.best * MILLISECONDS, anchors.best / REFERENCE, spread(times, anchors))


def simulated_seconds(subject: Subject, effort: Effort) -> Measurement:
    """How many a wall second, where simpy's event takes the reference time."""
    times, anchors = side_by_side(effort, subject, timeouts)
    return Measurement(1 / times.best, REFERENCE / anchors.best, spread(times, anchors))


def aged(subject: Subject, effort: Effort) -> Measurement:
    """Milliseconds each after many, over those of the second and the next ones.

    The first in a process reads the specifications and is not counted.
    """
    if effort.machines is None:
        raise Lacking("it takes long: not with --quick")
    with subject() as work:
        work.run(1)
        early = _batches(work)
        work.run(effort.machines)
        late = _batches(work)
    return Measurement(late.best * MILLISECONDS, early.best * MILLISECONDS, spread(late, early))


def _batches(work: Work) -> Times:
    return Times(tuple(timed(work, BATCH)[0] / BATCH for _ in range(BATCHES)))
