"""Row 7: what becomes of a round trip as sockets and processes grow in number."""

from __future__ import annotations

from collections.abc import Callable

from simkernel.tools.bench.quantity import Measure, Measurement
from simkernel.tools.bench.stopwatch import Effort, Subject, side_by_side, spread


def growth(
    make: Callable[[int], Subject],
    anchor: Callable[[int], Subject],
    sizes: Callable[[Effort], tuple[int, ...]],
) -> Measure:
    """Time over two of the anchor's, at the largest size over that at the least; all of them are a curve."""

    def measure(subject: Subject, effort: Effort) -> Measurement:
        points = []
        spreads = []
        for size in sizes(effort):
            times, anchors = side_by_side(effort, make(size), anchor(size))
            points.append((size, times.best / (2 * anchors.best)))
            spreads.append(spread(times, anchors))
        return Measurement(points[-1][1], points[0][1], max(spreads[0], spreads[-1]), tuple(points))

    return measure
