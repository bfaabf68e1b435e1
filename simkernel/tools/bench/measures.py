"""Ways to measure a subject: each makes the figure of a line, and the anchor that it is divided by."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from itertools import pairwise

from simkernel.tools.bench.quantity import Lacking, Measure, Measurement
from simkernel.tools.bench.stopwatch import Effort, Subject, Work, fluctuation, side_by_side, spread, timed

MICROSECONDS, MILLISECONDS = 1e6, 1e3
"""In a second."""
BATCH, BATCHES = 5, 100
"""How many machines are timed together, and how often, before and after."""
PARTS = 4
"""A crowd comes in so many parts: how far they disagree is the spread."""

Sized = Callable[[int], AbstractContextManager[Work]]
"""A subject of a size."""


def over(anchor: Subject, scale: float = MICROSECONDS, anchor_scale: float | None = None) -> Measure:
    """Time over the anchor's, in units of which so many are a second."""

    def measure(subject: Subject, effort: Effort) -> Measurement:
        times, anchors = side_by_side(effort, subject, anchor)
        divisor = min(anchors) * (scale if anchor_scale is None else anchor_scale)
        return Measurement(min(times) * scale, divisor, spread(times, anchors))

    return measure


def rate_over(anchor: Subject, anchor_scale: float = 1) -> Measure:
    """How often in a second, over how often the anchor."""

    def measure(subject: Subject, effort: Effort) -> Measurement:
        times, anchors = side_by_side(effort, subject, anchor)
        return Measurement(1 / min(times), anchor_scale / min(anchors), spread(times, anchors))

    return measure


def growth(make: Sized, anchor: Sized, sizes: Callable[[Effort], tuple[int, ...]]) -> Measure:
    """Time over two of the anchor's, at the largest size over that at the least; all of them are a curve."""

    def measure(subject: Subject, effort: Effort) -> Measurement:
        points, spreads = [], []
        for size in sizes(effort):
            times, anchors = side_by_side(effort, partial(make, size), partial(anchor, size))
            points.append((size, min(times) / (2 * min(anchors))))
            spreads.append(spread(times, anchors))
        return Measurement(points[-1][1], points[0][1], max(spreads[0], spreads[-1]), tuple(points))

    return measure


def aged(subject: Subject, effort: Effort) -> Measurement:
    """Milliseconds each after many, over those of the second and the next ones.

    The first in a process reads the specifications and is not counted.
    """
    if effort.machines is None:
        raise Lacking("it takes long: not with --quick")
    with subject() as work:
        work.run(1)
        early = [timed(work, BATCH)[0] / BATCH for _ in range(BATCHES)]
        work.run(effort.machines)
        late = [timed(work, BATCH)[0] / BATCH for _ in range(BATCHES)]
    return Measurement(min(late) * MILLISECONDS, min(early) * MILLISECONDS, spread(late, early))


def bytes_each(crowd: Callable[[Effort], int]) -> Measure:
    """Bytes for each of a crowd, by tracemalloc: in the kernel, in the engine and in the program."""

    def measure(subject: Subject, effort: Effort) -> Measurement:
        part = max(1, crowd(effort) // PARTS)
        with subject() as work:
            work.run(1)
            tracemalloc.start()
            try:
                taken = [_allotted()]
                for _ in range(PARTS):
                    work.run(part)
                    taken.append(_allotted())
            finally:
                tracemalloc.stop()
        each = [(after - before) / part for before, after in pairwise(taken)]
        return Measurement((taken[-1] - taken[0]) / (PARTS * part), 1.0, fluctuation(each))

    return measure


def _allotted() -> int:
    gc.collect()
    return tracemalloc.get_traced_memory()[0]
