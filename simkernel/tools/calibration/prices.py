"""How often an operation pays each price: found by running it with one price raised after the other."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import attrs

from simkernel.kernel.lib.costs import CostModel
from simkernel.tools.calibration.operations import Operation
from simkernel.tools.calibration.parameters import PRICES

RAISED: Final = 1 << 14
"""By how many ns a price is raised: so many that rounding does not show, and no slice of a CPU ends."""


def payments(operation: Operation, costs: CostModel, prices: Iterable[str] = PRICES) -> dict[str, float]:
    """How often `operation` pays each of `prices`, those left out that it does not pay.

    Prices are paid by the piece, so that the sum of all times their prices is what it takes.
    """
    before = operation.simulated(costs)
    found = {}
    for price in prices:
        raised = attrs.evolve(costs, **{price: getattr(costs, price) + RAISED})
        more = operation.simulated(raised) - before
        if more:
            found[price] = more / RAISED
    return found
