"""The report of a scenario, as data that the command line formats.

Its paragraphs and tables describe the run on one screen.  Parts with `detail=True` are shown on request,
at their place among the other parts.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from simkernel.engine import SimulationError

Cell = str | int | float | None


@attrs.frozen
class Text:
    """A paragraph of a report. The summary of the report omits it if `detail` is True."""

    text: str
    detail: bool = False


@attrs.frozen
class Table:
    """A table of a report. The summary of the report omits it if `detail` is True."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    detail: bool = False


@attrs.frozen
class Goal:
    """The goal of an exercise. `reached` is True if the student has reached it. `text` gives the reason."""

    reached: bool
    text: str

    def __str__(self) -> str:
        return f"Goal {'reached' if self.reached else 'not reached yet'}: {self.text}"


class Report:
    """Paragraphs and tables in order, and metrics by name."""

    def __init__(self) -> None:
        self.outcome: Goal | None = None
        """The result of the scenario's goal, or None if no goal is set."""
        self.parts: list[Text | Table] = []
        self.metrics: dict[str, Any] = {}
        self.json_only: set[str] = set()
        """Names of metrics that only the JSON output has, because tables already show their values."""

    @property
    def summary(self) -> list[Text | Table]:
        """The paragraphs and tables of the report that are not details."""
        return [part for part in self.parts if not part.detail]

    def text(self, text: str, *, detail: bool = False) -> None:
        """Add a paragraph to the report."""
        self.parts.append(Text(text, detail))

    def table(
        self, title: str, columns: Iterable[str], rows: Iterable[Iterable[Cell]], *, detail: bool = False
    ) -> None:
        """Add a table.  Raise SimulationError unless every row has a cell for each column."""
        table = Table(title, tuple(columns), tuple(tuple(row) for row in rows), detail)
        for row in table.rows:
            if len(row) != len(table.columns):
                raise SimulationError(f"table {title!r}: {row!r} must have {len(table.columns)} cells")
        self.parts.append(table)

    def metric(self, name: str, value: Any, *, shown: bool = True) -> None:
        """Add a metric. Its value can be any JSON value. Use an int for an exact number.

        A metric with `shown=False` is omitted from the report for readers, and only written to JSON.
        """
        if name in self.metrics:
            raise SimulationError(f"metric {name!r} has been added already: use another name")
        if not shown:
            self.json_only.add(name)
        self.metrics[name] = _json(name, value)

    def goal(self, reached: bool, text: str) -> None:
        """Set the result of the goal; `text` gives the reason.

        Raise SimulationError if it is already set.
        """
        if self.outcome is not None:
            raise SimulationError(f"the goal is set twice: {self.outcome.text!r}, then {text!r}")
        self.outcome = Goal(bool(reached), text)


def _json(where: str, value: Any) -> Any:
    """Copy a JSON value. If a part of it is not JSON, raise SimulationError with the path of the part."""
    if isinstance(value, Mapping):
        return {_key(where, key): _json(f"{where}.{key}", each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_json(f"{where}[{number}]", each) for number, each in enumerate(value)]
    if isinstance(value, float) and not math.isfinite(value):
        raise SimulationError(f"metric {where} is {value!r}: JSON has no such number; use None")
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise SimulationError(f"metric {where} is {value!r}: use a number, a string, None, a list or a dict")


def _key(where: str, key: Any) -> str:
    if isinstance(key, str):
        return key
    raise SimulationError(f"metric {where} has the key {key!r}: use strings as keys")
