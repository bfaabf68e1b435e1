"""Comparison of the measurements in a file with the simulated times of the same operations.

The file is one JSON object: `{"ns": {operation: {size: nanoseconds}}}`.  An optional `spread` of the same
form has lists: the median, the 90th and the 99th percentile of an operation's time in ns.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from statistics import median
from typing import Any, Final

import attrs

from simkernel.engine import SimulationError
from simkernel.kernel.lib.costs import CostModel
from simkernel.tools.calibration.fit import Fit
from simkernel.tools.calibration.operations import Operation, find
from simkernel.tools.calibration.parameters import is_quantiles, read_object

NO_SUCH: Final = "no such operation"


@attrs.frozen
class Figure:
    """A measured operation: its name, its size in bytes, and its time on a real kernel in ns.

    `quantiles` are the file's `spread` of this operation, () without.
    """

    name: str
    size: int
    measured: float
    quantiles: tuple[float, ...] = ()


@attrs.frozen
class Row:
    """A measured time (`figure`) and the simulated time, or the problem that prevented the simulation."""

    figure: Figure
    simulated: float | None
    problem: str = ""

    @property
    def error(self) -> float | None:
        """Relative error of the simulated time.

        It is negative if the simulated time is less than the measured one.
        """
        return None if self.simulated is None else self.simulated / self.figure.measured - 1

    def as_json(self) -> dict[str, Any]:
        """Return the row as JSON data."""
        payload = {
            "operation": self.figure.name,
            "size": self.figure.size,
            "measured_ns": self.figure.measured,
            "simulated_ns": self.simulated,
            "error": None if self.error is None else round(self.error, 4),
        }
        return {**payload, "problem": self.problem} if self.problem else payload


def read(text: str) -> list[Figure]:
    """Return the figures in the text of a file of measurements, in the order of the text.

    Raise SimulationError, which names the place of a mistake.
    """
    operations = read_object(text, "ns", " of operations")
    spread = json.loads(text).get("spread", {})
    return [
        figure
        for name, sizes in operations.items()
        for figure in _figures(name, sizes, spread.get(name, {}) if isinstance(spread, dict) else {})
    ]


def _figures(name: str, sizes: Any, spread: Any) -> Iterator[Figure]:
    if not isinstance(sizes, dict):
        raise SimulationError(
            f'ns, "{name}": expected an object that maps sizes to times, as in {{"64": 338.1}}'
        )
    for size, ns in sizes.items():
        if not size.isdecimal():
            raise SimulationError(f'ns, "{name}": "{size}" is not a size in bytes')
        if isinstance(ns, bool) or not isinstance(ns, int | float) or not 0 < ns < float("inf"):
            raise SimulationError(f'ns, "{name}", "{size}": {ns!r} is not a number of nanoseconds')
        quantiles = spread.get(size, []) if isinstance(spread, dict) else []
        if quantiles and not is_quantiles(quantiles):
            problem = f"{quantiles!r} is not a list of three quantiles (ascending, at least 1)"
            raise SimulationError(f'spread, "{name}", "{size}": {problem}')
        yield Figure(name, int(size), float(ns), tuple(quantiles))


def compare(figures: list[Figure], costs: CostModel) -> Iterator[Row]:
    """Yield a row for each figure: the figure, and the time of its operation in a simulation with the cost
    model `costs`.
    """
    for figure in figures:
        try:
            operation = find(figure.name, figure.size)
        except LookupError:
            yield Row(figure, None, NO_SUCH)
            continue
        try:
            yield Row(figure, operation.simulated(costs))
        except OSError as error:
            yield Row(figure, None, f"the simulated kernel fails: {error.strerror or error}")


@attrs.frozen
class Prediction:
    """A measured figure and two predictions of it.  One prediction uses all other figures, and the other uses
    only the figures of other operations.

    A prediction is None if those figures do not determine the prices that the operation pays.
    """

    figure: Figure
    without_figure: float | None
    without_operation: float | None

    def errors(self) -> tuple[float | None, float | None]:
        """Return the relative error of each prediction.  It is negative if the predicted time is too low."""
        predicted = (self.without_figure, self.without_operation)
        return tuple(None if ns is None else ns / self.figure.measured - 1 for ns in predicted)  # type: ignore[return-value]

    def as_json(self) -> dict[str, Any]:
        """Return the prediction as JSON data."""
        figure, operation = (None if error is None else round(error, 4) for error in self.errors())
        return {
            "operation": self.figure.name,
            "size": self.figure.size,
            "measured_ns": self.figure.measured,
            "predicted_ns": self.without_figure,
            "error": figure,
            "error_without_operation": operation,
        }


def operations(figures: list[Figure]) -> dict[Operation, Figure]:
    """Return a dictionary that maps each operation to its figure.

    Raise SimulationError if there are none, or for an unknown operation.
    """
    if not figures:
        raise SimulationError("no measurements")
    try:
        return {find(figure.name, figure.size): figure for figure in figures}
    except LookupError as error:
        raise SimulationError(str(error)) from None


def cross_validate(figures: list[Figure], costs: CostModel) -> list[Prediction]:
    """Predict each measured time from the other measurements. `costs` are the initial guess of the fit.

    Raise SimulationError as `operations` does, and OSError if an operation fails in the simulated kernel.
    """
    found = operations(figures)
    fit = Fit({operation: figure.measured for operation, figure in found.items()}, costs)
    return [
        Prediction(figure, fit.predicted(operation), fit.predicted(operation, all_sizes=True))
        for operation, figure in found.items()
    ]


def summary(predictions: list[Prediction]) -> tuple[int, float, float]:
    """Return the number of predicted figures, the median error and the maximum error."""
    errors = [abs(error) for each in predictions if (error := each.errors()[0]) is not None]
    return len(errors), median(errors or [0.0]), max(errors, default=0.0)
