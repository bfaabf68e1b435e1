"""Measurement of the operations on this host with the C program `measure.c`."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import attrs

from simkernel.engine import SimulationError
from simkernel.tools.calibration.operations import Operation

SOURCE: Final = Path(__file__).with_name("measure.c")
COMPILERS: Final = ("cc", "gcc", "clang")
SECONDS: Final = 600
"""Timeout in seconds for the measurement of all operations."""


def compiler() -> str:
    """Return the path of a C compiler.  Raise SimulationError if none is installed."""
    for name in COMPILERS:
        if path := shutil.which(name):
            return path
    raise SimulationError(f"measuring this host needs a C compiler: install one of {', '.join(COMPILERS)}")


@attrs.frozen
class Timing:
    """The time of an operation in ns.

    `ns` is the time in the fastest batch.  `quantiles` are quantiles of single operations at
    jitter.LEVELS.
    """

    ns: float
    quantiles: tuple[float, ...]


def measure(operations: Iterable[Operation], cc: str) -> dict[Operation, Timing]:
    """Measure each operation that the kernel permits this user to execute, and return the timings.

    Raise SimulationError if this host is not Linux, or if `measure.c` does not compile.
    """
    if sys.platform != "linux":
        raise SimulationError(f"this host is {sys.platform}: only Linux can be measured")
    wanted = {operation.key: operation for operation in operations}
    with TemporaryDirectory() as folder:
        program = Path(folder) / "measure"
        compiled = subprocess.run(
            [cc, "-O2", "-pthread", "-o", program, SOURCE], capture_output=True, text=True, check=False
        )
        if compiled.returncode:
            raise SimulationError(f"{cc} does not compile {SOURCE.name}:\n{compiled.stderr.strip()}")
        done = subprocess.run(
            [program, *wanted], capture_output=True, text=True, check=False, timeout=SECONDS
        )
    lines = (line.split() for line in done.stdout.splitlines())
    measured = {wanted[key]: Timing(float(ns), tuple(map(float, quantiles))) for key, ns, *quantiles in lines}
    if not measured:
        raise SimulationError(f"no operation could be measured: {done.stderr.strip() or 'no reason given'}")
    return measured
