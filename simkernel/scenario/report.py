"""A scenario's report, as data: the command line decides how it looks.

Its paragraphs and tables tell the story of the run, on one screen.  Those with `detail=True` are shown on
demand, in their place among the others.
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
    """A paragraph."""

    text: str
    detail: bool = False


@attrs.frozen
class Table:
    """Rows of cells under a title."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    detail: bool = False


@attrs.frozen
class Goal:
    """The goal of an exercise: reached or not yet, and the sentence that says why."""

    reached: bool
    text: str

    def __str__(self) -> str:
        return f"Goal {'reached' if self.reached else 'not reached yet'}: {self.text}"


class Report:
    """Paragraphs and tables in order, and figures by name."""

    def __init__(self) -> None:
        self.outcome: Goal | None = None
        """The goal, if the scenario has one."""
        self.parts: list[Text | Table] = []
        self.metrics: dict[str, Any] = {}
        self.aside: set[str] = set()
        """Figures that are for machines only: tables show them already."""

    @property
    def story(self) -> list[Text | Table]:
        """The parts without the details."""
        return [part for part in self.parts if not part.detail]

    def text(self, text: str, *, detail: bool = False) -> None:
        """Add a paragraph."""
        self.parts.append(Text(text, detail))

    def table(
        self, title: str, columns: Iterable[str], rows: Iterable[Iterable[Cell]], *, detail: bool = False
    ) -> None:
        """Add a table.  Every row has a cell for each column."""
        table = Table(title, tuple(columns), tuple(tuple(row) for row in rows), detail)
        for row in table.rows:
            if len(row) != len(table.columns):
                raise SimulationError(f"table {title!r}: {row!r} has not {len(table.columns)} cells")
        self.parts.append(table)

    def metric(self, name: str, value: Any, *, shown: bool = True) -> None:
        """Add a figure: an int where it is exact, or anything else that JSON has (dicts, lists).

        One that is not `shown` is left out where the report is read by people.
        """
        if name in self.metrics:
            raise SimulationError(f"metric {name!r} is given twice")
        if not shown:
            self.aside.add(name)
        self.metrics[name] = _json(name, value)

    def goal(self, reached: bool, text: str) -> None:
        """Set the result of the scenario's goal; `text` says why.  SimulationError at a second call."""
        if self.outcome is not None:
            raise SimulationError(f"the goal is given twice: {self.outcome.text!r}, then {text!r}")
        self.outcome = Goal(bool(reached), text)


def _json(where: str, value: Any) -> Any:
    """A copy of `value`, or a SimulationError that says where it is not JSON."""
    if isinstance(value, Mapping):
        return {_key(where, key): _json(f"{where}.{key}", each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_json(f"{where}[{number}]", each) for number, each in enumerate(value)]
    if isinstance(value, float) and not math.isfinite(value):
        raise SimulationError(f"metric {where} is {value!r}: JSON has no such number, write None")
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise SimulationError(f"metric {where} is {value!r}: it may be a number, text, None, a list or a dict")


def _key(where: str, key: Any) -> str:
    if isinstance(key, str):
        return key
    raise SimulationError(f"metric {where} has the key {key!r}: keys are texts")
