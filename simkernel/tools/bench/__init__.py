"""The benchmark.  It divides each quantity by an anchor: a reference measured in the same process and run.

    TABLE         the quantities
    FULL, QUICK   the amount of work for each figure

The benchmark only measures.  Tests check that the results of the measured code are correct.
"""

from simkernel.tools.bench.quantity import Line, Measurement, Quantity
from simkernel.tools.bench.stopwatch import FULL, QUICK, Effort
from simkernel.tools.bench.table import TABLE

__all__ = ["FULL", "QUICK", "TABLE", "Effort", "Line", "Measurement", "Quantity"]
