"""The lines of the benchmark's table: quantities, and their measurements."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, TypeAlias

import attrs

from simkernel.tools.bench.stopwatch import Effort, Subject

Better: TypeAlias = Literal["lower", "higher"]


class Unavailable(Exception):
    """Raised if a quantity is not measured, because the host lacks something or because `--quick` excludes
    the quantity.

    The text is the reason.
    """


@attrs.frozen
class Measurement:
    """The result of a measurement: the figure, the anchor by which it is divided, and the spread between
    repetitions.

    `points` are the curve of a quantity that grows: (size, value).
    """

    figure: float
    anchor: float
    spread: float
    points: tuple[tuple[int, float], ...] = ()

    @property
    def ratio(self) -> float:
        """The figure divided by the anchor. The limits `must_hold` and `aim` apply to this ratio."""
        return self.figure / self.anchor


Measure: TypeAlias = Callable[[Subject, Effort], Measurement]


@attrs.frozen
class Quantity:
    """One line of the benchmark's table: a quantity, and the work that is timed for it.

    row        its number in the table
    name       one word, unique
    what       description of the quantity
    unit       unit of the figure
    over       description of the anchor, with its unit
    subject    the work that is timed, and that a profiler can run
    measure    makes a measurement of the subject
    must_hold  the ratio that must be reached
    aim        the ratio that is desired
    better     whether a lower or a higher ratio is better
    growth     unit of the sizes of its curve, or None
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
        """Measure this quantity and return its line of the table."""
        try:
            return Line(self, self.measure(self.subject, effort), None)
        except Unavailable as reason:
            return Line(self, None, str(reason))


@attrs.frozen
class Line:
    """A quantity with its measurement, or the reason why it was skipped."""

    quantity: Quantity
    measurement: Measurement | None
    skipped: str | None

    @property
    def points(self) -> tuple[tuple[int, float], ...]:
        """Points of the growth curve as (size, value) pairs. The tuple is empty if no curve was measured."""
        return self.measurement.points if self.measurement is not None else ()

    @property
    def verdict(self) -> str:
        """Result of the comparison with the limits: "aim", "holds", "misses", or "skipped"."""
        if self.measurement is None:
            return "skipped"
        if self._reaches(self.quantity.aim, self.measurement.ratio):
            return "aim"
        return "holds" if self._reaches(self.quantity.must_hold, self.measurement.ratio) else "misses"

    def _reaches(self, bound: float, ratio: float) -> bool:
        return ratio <= bound if self.quantity.better == "lower" else ratio >= bound

    def as_json(self) -> dict[str, Any]:
        """Return the table line in the format of `simkernel bench --json`."""
        row = {name: getattr(self.quantity, name) for name in ("row", "name", "must_hold", "aim", "better")}
        figures = ("figure", "anchor", "ratio", "spread")
        measured = {name: getattr(self.measurement, name, None) for name in figures}
        return {**row, **measured, "skipped": self.skipped}
