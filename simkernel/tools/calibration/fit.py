"""Fit the costs of the cost model to measurements, so that simulated operations take about the measured time.

The time of an operation is the sum of the costs that it pays, each multiplied by its number of payments
(`payments`). So the costs solve a system of linear equations, usually with more equations than unknowns,
and must not be negative. The fit minimizes the sum of the squared relative errors.  With a small weight,
it also minimizes the relative distance of each cost from an initial guess: two costs that no operation
distinguishes keep their ratio.

The initial guess is the costs of another machine times the median ratio of operation times on the two
machines.  Costs that no operation pays (starting a program, loading a module) keep this value.  The cost
of a register access depends on the bus and is not fitted.  `cached_sockets`, the number of sockets that
fit in the caches, is not a cost: a few values are tried.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from operator import attrgetter, itemgetter
from statistics import median
from typing import Any, Final

import attrs

from simkernel.kernel.lib.costs import CostModel
from simkernel.tools.calibration.host import Timing
from simkernel.tools.calibration.operations import Operation, OperationKind
from simkernel.tools.calibration.parameters import COSTS

FAITH: Final = 1e-4
"""The fit multiplies the squared relative difference between a cost and its initial guess by this weight. The
squared relative error of an operation has the weight 1.
"""
DETERMINED: Final = 1.0
"""Maximum statistical leverage (see `leverage`) of a predicted operation. If its leverage is larger, the fit
makes no prediction. With the leverage 1, a prediction is as certain as a measurement.
"""
HELD: Final = (100, 200, 400, 800, 1600)
"""Values of the cost parameter `cached_sockets` that the fit tries, in addition to the initial guess."""
OF_THE_BUS: Final = frozenset({"readl", "writel"})
"""Costs that are not fitted and keep the value of the initial guess."""
RAISED: Final = 1 << 14
"""To count how often an operation pays a cost, the fit raises this cost by so many nanoseconds. The number is
so large that rounding is negligible, but so small that no time slice of a CPU ends.
"""


def payments(operation: Operation, costs: CostModel, prices: Iterable[str] = COSTS) -> dict[str, float]:
    """Return how many times `operation` pays each cost in `prices`. The result has no entry for a cost that
    is not paid.

    The operation is simulated once for each cost, with that cost raised.  The time of the operation is the
    sum of the payments times the costs.
    """
    before = operation.simulated(costs)
    found = {}
    for price in prices:
        raised = attrs.evolve(costs, **{price: getattr(costs, price) + RAISED})
        more = operation.simulated(raised) - before
        if more:
            found[price] = more / RAISED
    return found


@attrs.frozen
class Equation:
    """An equation of the fit: how often an operation pays each cost, and the operation's time in ns."""

    payments: Mapping[str, float]
    ns: float

    def error(self, prices: Mapping[str, float]) -> float:
        """Return the relative error of the operation's time under these costs."""
        paid = sum(often * prices[name] for name, often in self.payments.items())
        return paid / self.ns - 1

    def shares(self, guess: Mapping[str, float]) -> list[float]:
        """Return one number for each cost in `guess`: the part of `ns` that the operation pays for this
        cost.
        """
        return [self.payments.get(name, 0.0) * price / self.ns for name, price in guess.items()]


def solve(equations: Sequence[Equation], guess: Mapping[str, float]) -> dict[str, float]:
    """Solve the normal equations of the fit. The unknowns are the ratios of each cost to its initial guess in
    `guess`. Return the costs by name.

    Negative costs are set to 0, and the equations are solved again for the others.
    """
    rows = [equation.shares(guess) for equation in equations]
    columns = list(zip(*rows, strict=True))
    free = list(range(len(guess)))
    while True:
        matrix = [
            [*(_dot(columns[i], columns[j]) + FAITH * (i == j) for j in free), sum(columns[i]) + FAITH]
            for i in free
        ]
        found = dict(zip(free, _eliminate(matrix), strict=True))
        kept = [index for index in free if found[index] >= 0]
        if len(kept) == len(free):
            return {name: guess[name] * found.get(index, 0.0) for index, name in enumerate(guess)}
        free = kept


def _dot(left: Sequence[float], right: Sequence[float]) -> float:
    return sum(one * other for one, other in zip(left, right, strict=True))


def _eliminate(matrix: list[list[float]]) -> list[float]:
    """Solve a positive definite system by Gauss-Jordan elimination; the last column is the right side."""
    for place, pivot in enumerate(matrix):
        pivot[:] = [value / pivot[place] for value in pivot]
        for row in matrix:
            if row is not pivot and (factor := row[place]):
                row[:] = [value - factor * other for value, other in zip(row, pivot, strict=True)]
    return [row[-1] for row in matrix]


def leverage(equation: Equation, others: Sequence[Equation], guess: Mapping[str, float]) -> float:
    """Return how uncertain the time of `equation` is if it is predicted from the equations `others`. It is
    the variance of the prediction divided by that of a measurement.
    """
    row = equation.shares(guess)
    columns = list(zip(*(each.shares(guess) for each in others), strict=True))
    matrix = [
        [*(_dot(left, right) + FAITH * (left is right) for right in columns), share]
        for left, share in zip(columns, row, strict=True)
    ]
    return _dot(row, _eliminate(matrix))


class Fit:
    """A fit of the costs to `measured`, the measured time of each operation in ns.

    The initial guess is derived from `other`, another machine's costs.
    """

    def __init__(self, measured: Mapping[Operation, float], other: CostModel) -> None:
        self.measured = measured
        prices = [name for name in COSTS if name not in OF_THE_BUS and getattr(other, name) > 0]
        ratio = median(ns / operation.simulated(other) for operation, ns in measured.items())
        self._guess = attrs.evolve(
            other, **{name: max(round(getattr(other, name) * ratio), 1) for name in prices}
        )
        self._held = sorted({self._guess.cached_sockets, *HELD})
        paid: dict[Operation, dict[str, float]] = {}
        few: dict[tuple[OperationKind, int], Iterable[str]] = {}
        for operation in sorted(measured, key=attrgetter("count")):
            paid[operation] = payments(
                operation, self._guess, few.get((operation.kind, operation.size), prices)
            )
            few[operation.kind, operation.size] = paid[operation]
        self._equations = {
            held: {
                each: Equation({**paid[each], **_missed(each, trial)}, ns) for each, ns in measured.items()
            }
            for held in self._held
            for trial in [attrs.evolve(self._guess, cached_sockets=held)]
        }

    def costs(self) -> CostModel:
        """Return the costs that fit all measurements best."""
        held, found = self._best(self.measured)
        prices: dict[str, Any] = {name: round(ns) for name, ns in found.items()}
        return attrs.evolve(self._guess, cached_sockets=held, **prices)

    def predicted(self, left_out: Operation, *, all_sizes: bool = False) -> float | None:
        """Predict the time of an operation in ns from the measurements of the other operations.

        Return None if they do not determine its costs.  With `all_sizes`, the operation is excluded with
        all its sizes and counts.
        """
        key = left_out.kind.key
        rest = [
            each for each in self.measured if each != left_out and not (all_sizes and each.kind.key == key)
        ]
        held, found = self._best(rest)
        equations = self._equations[held]
        guess = {name: float(getattr(self._guess, name)) for name in COSTS if getattr(self._guess, name)}
        if leverage(equations[left_out], [equations[each] for each in rest], guess) > DETERMINED:
            return None
        return equations[left_out].ns * (1 + equations[left_out].error({**guess, **found}))

    def _best(self, rows: Iterable[Operation]) -> tuple[int, dict[str, float]]:
        """Return the value of the cost parameter `cached_sockets`, and the values of the other cost
        parameters, that fit these operations best.
        """
        trials = []
        for held in self._held:
            equations = [self._equations[held][each] for each in rows]
            names = dict.fromkeys(name for each in equations for name in each.payments)
            found = solve(equations, {name: float(getattr(self._guess, name)) for name in names})
            trials.append((sum(equation.error(found) ** 2 for equation in equations), held, found))
        _, held, found = min(trials, key=itemgetter(0))
        return held, found


def _missed(operation: Operation, costs: CostModel) -> dict[str, float]:
    """Return the number of cache misses whose cost is part of an operation's time. It depends on the cost
    parameter `cached_sockets`.
    """
    return payments(operation, costs, ["cache_miss"]) if operation.count > HELD[0] else {}


def fitted(measured: Mapping[Operation, Timing], other: CostModel) -> CostModel:
    """Return the costs that fit the timings `measured` best. The initial guess is derived from `other`,
    another machine's costs.
    """
    found = Fit({operation: timing.ns for operation, timing in measured.items()}, other).costs()
    factors = zip(*([each / took.ns for each in took.quantiles] for took in measured.values()), strict=True)
    return attrs.evolve(found, spread=tuple(round(1000 * median(each)) for each in factors))
