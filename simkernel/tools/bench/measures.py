"""Measurement methods of the benchmark. They measure a subject (the work under test) and its anchor (a
reference).
"""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from itertools import pairwise

from simkernel.tools.bench.quantity import Measure, Measurement, Unavailable
from simkernel.tools.bench.stopwatch import Effort, Subject, Work, fluctuation, side_by_side, spread, timed

MICROSECONDS, MILLISECONDS = 1e6, 1e3
"""Number of microseconds and of milliseconds in a second."""
BATCH, BATCHES = 5, 100
"""Number of machines in a timed batch, and number of batches in a measurement. The function `aged` makes one
measurement at its start, and one after it has run many more machines.
"""
PARTS = 4
"""Number of groups of sockets or processes.  The memory of each group is measured separately, and the spread
between the groups is reported.
"""

Sized = Callable[[int], AbstractContextManager[Work]]
"""A function that takes a size, such as a number of sockets, and returns a subject of this size."""


def over(anchor: Subject, scale: float = MICROSECONDS, anchor_scale: float | None = None) -> Measure:
    """Return a function that measures the ratio of two times: that of a subject (the work under test) and
    that of the anchor (a reference). `scale` converts seconds to the unit in which the time is printed.
    """

    def measure(subject: Subject, effort: Effort) -> Measurement:
        times, anchors = side_by_side(effort, subject, anchor)
        divisor = min(anchors) * (scale if anchor_scale is None else anchor_scale)
        return Measurement(min(times) * scale, divisor, spread(times, anchors))

    return measure


def rate_over(anchor: Subject, anchor_scale: float = 1) -> Measure:
    """Return a function that measures the iterations per second of a subject (the work under test) and of the
    anchor (a reference).
    """

    def measure(subject: Subject, effort: Effort) -> Measurement:
        times, anchors = side_by_side(effort, subject, anchor)
        return Measurement(1 / min(times), anchor_scale / min(anchors), spread(times, anchors))

    return measure


def growth(make: Sized, anchor: Sized, sizes: Callable[[Effort], tuple[int, ...]]) -> Measure:
    """Return a function that measures how much slower a subject becomes with size. At each size, it divides
    the subject's time by the time of two iterations of the anchor, because a subject is a round trip of two
    system calls. The figure is the quotient at the largest size. It is compared with the quotient at the
    smallest size.

    The quotients at all sizes are the points of the curve.
    """

    def measure(subject: Subject, effort: Effort) -> Measurement:
        points, spreads = [], []
        for size in sizes(effort):
            times, anchors = side_by_side(effort, partial(make, size), partial(anchor, size))
            points.append((size, min(times) / (2 * min(anchors))))
            spreads.append(spread(times, anchors))
        return Measurement(points[-1][1], points[0][1], max(spreads[0], spreads[-1]), tuple(points))

    return measure


def aged(subject: Subject, effort: Effort) -> Measurement:
    """Measure the time per machine in ms, after the process has made many machines. The anchor is the time
    per machine before that.

    The very first machine in a process is not counted, because it reads the specifications.
    """
    if effort.machines is None:
        raise Unavailable("not measured with --quick, because it takes long")
    with subject() as work:
        work.run(1)
        early = [timed(work, BATCH)[0] / BATCH for _ in range(BATCHES)]
        work.run(effort.machines)
        late = [timed(work, BATCH)[0] / BATCH for _ in range(BATCHES)]
    return Measurement(min(late) * MILLISECONDS, min(early) * MILLISECONDS, spread(late, early))


def bytes_each(crowd: Callable[[Effort], int]) -> Measure:
    """Return a function that measures bytes per socket or process with tracemalloc. It counts the memory of
    the kernel, the engine and the program.
    """

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
