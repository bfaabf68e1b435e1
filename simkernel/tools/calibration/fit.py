"""Prices from measurements: those for which the simulated operations come nearest to the measured ones.

What an operation takes is the sum of the prices that it pays, each as often as it pays it (`payments`).
So the prices solve a system of linear equations, with more equations than unknowns as a rule, and none
may be negative.  What is made least is the sum of the squares of the relative errors, and with little
weight the relative distance of each price from a first guess: where no operation tells two prices apart,
they keep the guess's proportion.

The first guess is another machine's prices times the ratio of what the operations take on the two, in the
median.  Prices that no operation pays (starting a program, loading a module) stay at that.  An access to a
register takes what the bus makes of it.  One figure is no price, how many sockets the caches hold: a few
are tried.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from typing import Any, Final

import attrs

from simkernel.kernel.lib.costs import CostModel
from simkernel.tools.calibration.operations import Operation
from simkernel.tools.calibration.parameters import PRICES

FAITH: Final = 1e-4
"""The weight of a first guess that is off by its whole value, against an operation that is."""
ROUNDS: Final = 20_000
CLOSE: Final = 1e-9
"""A round that changes no price by more than this part of its guess is the last."""
HELD: Final = (100, 200, 400, 800, 1600)
"""Sockets that caches may hold, beside the guess."""
OF_THE_BUS: Final = frozenset({"readl", "writel"})
"""What stays as guessed."""
RAISED: Final = 1 << 14
"""By how many ns a price is raised: so many that rounding does not show, and no slice of a CPU ends."""


def payments(operation: Operation, costs: CostModel, prices: Iterable[str] = PRICES) -> dict[str, float]:
    """How often `operation` pays each of `prices`, found by running it with one raised after the other.

    Those that it does not pay are left out.  Prices are paid by the piece, so that the sum of all times their
    prices is what it takes.
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
    """An operation: how often it pays each price, and what it takes in ns."""

    payments: Mapping[str, float]
    ns: float

    def error(self, prices: Mapping[str, float]) -> float:
        """By how much it takes more with these prices, as a part of what it should."""
        paid = sum(often * prices[name] for name, often in self.payments.items())
        return paid / self.ns - 1


def solve(equations: Sequence[Equation], guess: Mapping[str, float]) -> dict[str, float]:
    """The prices, for the names of `guess`: coordinate descent, in units of the guess."""
    names = list(guess)
    columns = [
        [
            (place, equation.payments[name] * guess[name] / equation.ns)
            for place, equation in enumerate(equations)
            if name in equation.payments
        ]
        for name in names
    ]
    weights = [sum(value * value for _, value in column) + FAITH for column in columns]
    found = [1.0] * len(names)
    left = [-equation.error(guess) for equation in equations]
    for _ in range(ROUNDS):
        largest = 0.0
        for index, column in enumerate(columns):
            pull = sum(value * left[place] for place, value in column) + FAITH * (1.0 - found[index])
            step = max(pull / weights[index], -found[index])
            found[index] += step
            for place, value in column:
                left[place] -= step * value
            largest = max(largest, abs(step))
        if largest < CLOSE:
            break
    return {name: guess[name] * value for name, value in zip(names, found, strict=True)}


def fitted(measured: Mapping[Operation, float], other: CostModel) -> CostModel:
    """The prices for which the operations take what was `measured`, in ns; `other` are another machine's."""
    prices = [name for name in PRICES if name not in OF_THE_BUS and getattr(other, name) > 0]
    ratio = median(ns / operation.simulated(other) for operation, ns in measured.items())
    guess = attrs.evolve(other, **{name: max(round(getattr(other, name) * ratio), 1) for name in prices})
    paid = {operation: payments(operation, guess, prices) for operation in measured}
    best: tuple[float, CostModel] | None = None
    for held in sorted({guess.cached_sockets, *HELD}):
        trial = attrs.evolve(guess, cached_sockets=held)
        equations = [
            Equation({**paid[operation], **_missed(operation, trial)}, ns)
            for operation, ns in measured.items()
        ]
        found = solve(equations, {name: float(getattr(guess, name)) for name in _told(equations, prices)})
        wrong = sum(equation.error(found) ** 2 for equation in equations)
        if best is None or wrong < best[0]:
            rounded: dict[str, Any] = {name: round(ns) for name, ns in found.items()}
            best = wrong, attrs.evolve(trial, **rounded)
    assert best is not None
    return best[1]


def _missed(operation: Operation, costs: CostModel) -> dict[str, float]:
    """How often it misses the caches, which depends on how much they hold."""
    return payments(operation, costs, ["cache_miss"]) if operation.count > HELD[0] else {}


def _told(equations: Sequence[Equation], prices: Sequence[str]) -> list[str]:
    """The prices that at least one operation pays."""
    return [name for name in prices if any(name in equation.payments for equation in equations)]
