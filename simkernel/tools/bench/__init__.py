"""The benchmark: each quantity beside what it is divided by, in the same process and run.

    TABLE         the quantities
    FULL, QUICK   how much is done for a figure

Nothing here decides on anything but figures: what is right is for the tests to say.
"""

from simkernel.tools.bench.quantity import Line, Measurement, Quantity
from simkernel.tools.bench.stopwatch import FULL, QUICK, Effort
from simkernel.tools.bench.table import TABLE

__all__ = ["FULL", "QUICK", "TABLE", "Effort", "Line", "Measurement", "Quantity"]
