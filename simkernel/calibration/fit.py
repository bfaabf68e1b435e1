"""Prices from measurements: those for which the simulated operations come nearest to the measured ones.

What an operation takes is the sum of the prices that it pays, each as often as it pays it (`prices.py`).
So the prices solve a system of linear equations, with more equations than unknowns as a rule, and none
may be negative.  What is made least is the sum of the squares of the relative errors, and with little
weight the relative distance of each price from a first guess: where no operation tells two prices apart,
they keep the guess's proportion.

One price is not linear: how many sockets the caches hold.  It is tried out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import attrs

FAITH: Final = 1e-3
"""The weight of a first guess that is off by its whole value, against an operation that is."""
ROUNDS: Final = 20_000
CLOSE: Final = 1e-9
"""A round that changes no price by more than this part of its guess is the last."""


@attrs.frozen
class Equation:
    """An operation: how often it pays each price, and what it takes in ns."""

    payments: Mapping[str, float]
    ns: float


def solve(equations: Sequence[Equation], guess: Mapping[str, float]) -> dict[str, float]:
    """The prices, for the names of `guess`: coordinate descent, in units of the guess."""
    names = [name for name in guess if guess[name] > 0]
    rows = [
        [equation.payments.get(name, 0.0) * guess[name] / equation.ns for name in names]
        for equation in equations
    ]
    columns = [
        [(place, row[index]) for place, row in enumerate(rows) if row[index]] for index in range(len(names))
    ]
    weights = [sum(value * value for _, value in column) + FAITH for column in columns]
    found = [1.0] * len(names)
    left = [1.0 - sum(row) for row in rows]
    for _ in range(ROUNDS):
        largest = 0.0
        for index, column in enumerate(columns):
            pull = sum(value * left[place] for place, value in column) + FAITH * (1.0 - found[index])
            step = max(pull / weights[index], -found[index])
            if step:
                found[index] += step
                for place, value in column:
                    left[place] -= step * value
                largest = max(largest, abs(step))
        if largest < CLOSE:
            break
    return {name: guess[name] * value for name, value in zip(names, found, strict=True)}


def error(equations: Sequence[Equation], prices: Mapping[str, float]) -> float:
    """The sum of the squares of the relative errors."""
    return sum(
        (sum(often * prices.get(name, 0.0) for name, often in equation.payments.items()) / equation.ns - 1)
        ** 2
        for equation in equations
    )
