"""What a line of the table is: a quantity, how it is measured, and what came of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, TypeAlias

import attrs

from simkernel.tools.bench.stopwatch import Effort, Subject, side_by_side, spread

Better: TypeAlias = Literal["lower", "higher"]

MICROSECONDS = 1e6
"""In a second."""


class Lacking(Exception):
    """The host lacks what a quantity needs, or it was not asked for; the text says what."""


@attrs.frozen
class Measurement:
    """What was measured: the figure, the anchor that it is divided by, and how far the rounds disagree.

    `points` are the curve of a quantity that grows: (how many, value).
    """

    figure: float
    anchor: float
    spread: float
    points: tuple[tuple[int, float], ...] = ()

    @property
    def ratio(self) -> float:
        """What `must_hold` and `aim` are about."""
        return self.figure / self.anchor


Measure: TypeAlias = Callable[[Subject, Effort], Measurement]


@attrs.frozen
class Quantity:
    """One line of the table.

    row        its number in the table
    name       one word, unique
    what       what is measured
    unit       of the figure
    over       what the figure is divided by, with its unit
    subject    what is timed, and what a profiler is to be pointed at
    measure    makes a measurement of it
    must_hold  the ratio that has to be reached
    aim        the ratio that is wished for
    better     which way is better
    growth     what the points of its curve count, if it has one
    """

    row: int
    name: str
    what: str
    unit: str
    over: str
    subject: Subject
    measure: Measure
    must_hold: float
    aim: float
    better: Better = "lower"
    growth: str | None = None

    def measured(self, effort: Effort) -> Line:
        """This line, measured now."""
        try:
            return Line(self, self.measure(self.subject, effort), None)
        except Lacking as reason:
            return Line(self, None, str(reason))


@attrs.frozen
class Line:
    """A quantity with its measurement, or the reason why there is none."""

    quantity: Quantity
    measurement: Measurement | None
    skipped: str | None

    @property
    def verdict(self) -> str:
        """What the ratio says of the two bounds."""
        if self.measurement is None:
            return "skipped"
        if self._reaches(self.quantity.aim, self.measurement.ratio):
            return "aim"
        return "holds" if self._reaches(self.quantity.must_hold, self.measurement.ratio) else "misses"

    def _reaches(self, bound: float, ratio: float) -> bool:
        return ratio <= bound if self.quantity.better == "lower" else ratio >= bound

    def as_json(self) -> dict[str, Any]:
        """As `simkernel bench --json` prints it."""
        quantity, measured = self.quantity, self.measurement
        return {
            "row": quantity.row,
            "name": quantity.name,
            "figure": None if measured is None else measured.figure,
            "anchor": None if measured is None else measured.anchor,
            "ratio": None if measured is None else measured.ratio,
            "must_hold": quantity.must_hold,
            "aim": quantity.aim,
            "better": quantity.better,
            "spread": None if measured is None else measured.spread,
            "skipped": self.skipped,
        }


# -- ways to measure ----------------------------------------------------------------


def over(anchor: Subject, *, factor: int = 1, scale: float = MICROSECONDS) -> Measure:
    """Time over `factor` times the anchor's, in units of which `scale` are a second."""

    def measure(subject: Subject, effort: Effort) -> Measurement:
        times, anchors = side_by_side(effort, subject, anchor)
        return Measurement(times.best * scale, factor * anchors.best * scale, spread(times, anchors))

    return measure


def rate_over(anchor: Subject) -> Measure:
    """How often in a second, over how often the anchor."""

    def measure(subject: Subject, effort: Effort) -> Measurement:
        times, anchors = side_by_side(effort, subject, anchor)
        return Measurement(1 / times.best, 1 / anchors.best, spread(times, anchors))

    return measure
