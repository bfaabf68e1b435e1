"""A file of measurements, and what the same operations take here.

The file is one JSON object: `{"ns": {operation: {size: nanoseconds}}}`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import attrs

from simkernel.engine import SimulationError
from simkernel.kernel.lib.costs import CostModel
from simkernel.tools.calibration.operations import find
from simkernel.tools.calibration.parameters import read_object

NO_SUCH: Final = "no such operation"


@attrs.frozen
class Figure:
    """An operation by its name, its size in bytes, and the nanoseconds that a real kernel took for it."""

    name: str
    size: int
    measured: float


@attrs.frozen
class Row:
    """A figure beside what was simulated; `problem` says why it was not."""

    figure: Figure
    simulated: float | None
    problem: str = ""

    @property
    def error(self) -> float | None:
        """By how much of the measured value the simulated one is above it (or below: negative)."""
        return None if self.simulated is None else self.simulated / self.figure.measured - 1

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        told = {
            "operation": self.figure.name,
            "size": self.figure.size,
            "measured_ns": self.figure.measured,
            "simulated_ns": self.simulated,
            "error": None if self.error is None else round(self.error, 4),
        }
        return {**told, "problem": self.problem} if self.problem else told


def read(text: str) -> list[Figure]:
    """The figures of a file, in its order.  SimulationError that says where it is not as it should be."""
    operations = read_object(text, "ns", " of operations")
    return [figure for name, sizes in operations.items() for figure in _figures(name, sizes)]


def _figures(name: str, sizes: Any) -> Iterator[Figure]:
    if not isinstance(sizes, dict):
        raise SimulationError(f'ns, "{name}": this is an object of sizes, as in {{"64": 338.1}}')
    for size, ns in sizes.items():
        if not size.isdecimal():
            raise SimulationError(f'ns, "{name}": "{size}" is no size in bytes')
        if isinstance(ns, bool) or not isinstance(ns, int | float) or not 0 < ns < float("inf"):
            raise SimulationError(f'ns, "{name}", "{size}": {ns!r} is no number of nanoseconds')
        yield Figure(name, int(size), float(ns))


def compare(figures: list[Figure], costs: CostModel) -> Iterator[Row]:
    """Each figure beside what the operation takes with these prices."""
    for figure in figures:
        try:
            operation = find(figure.name, figure.size)
        except LookupError:
            yield Row(figure, None, NO_SUCH)
            continue
        try:
            yield Row(figure, operation.simulated(costs))
        except OSError as error:
            yield Row(figure, None, f"the simulated kernel says: {error.strerror or error}")
