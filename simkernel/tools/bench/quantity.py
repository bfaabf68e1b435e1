"""What a line of the table is: a quantity, how it is measured, and what came of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, TypeAlias

import attrs

from simkernel.tools.bench.stopwatch import Effort, Subject

Better: TypeAlias = Literal["lower", "higher"]


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
    def points(self) -> tuple[tuple[int, float], ...]:
        """The curve, empty where none was measured."""
        return self.measurement.points if self.measurement is not None else ()

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
        row = {name: getattr(self.quantity, name) for name in ("row", "name", "must_hold", "aim", "better")}
        figures = ("figure", "anchor", "ratio", "spread")
        measured = {name: getattr(self.measurement, name, None) for name in figures}
        return {**row, **measured, "skipped": self.skipped}
