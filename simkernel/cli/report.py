"""A run's report: tables and colour on a terminal, plain text in a pipe, or one JSON object.

By default only the story, which fits on one screen; `--details` adds the other parts and the figures.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from itertools import repeat
from textwrap import fill
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import attrs
import click

from simkernel.cli.host import host
from simkernel.scenario import Run, Table, Text
from simkernel.scenario.report import Cell
from simkernel.tools.calibration.recorded import accuracy

if TYPE_CHECKING:
    from rich.table import Table as RichTable

    from simkernel.kernel.oops import Oops

NUMBER: Final = re.compile(r"[-+]?[0-9]+(\.[0-9]+)?")
GAP: Final = 3
NARROW: Final = 8
"""Blanks from one column to the next on a terminal, and how narrow a heading is made there."""


def as_json(run: Run, sha256: str, wall_seconds: float) -> str:
    """Everything that can be counted on, and under `host` what differs from one machine to another."""
    return json.dumps(
        {
            "scenario": run.scenario.name,
            "seed": run.seed,
            "parameters": run.parameters,
            "simulated_ns": run.now,
            "events": run.events,
            "trace_sha256": sha256,
            "metrics": run.metrics,
            **({"goal": attrs.asdict(run.outcome)} if run.outcome else {}),
            **({"oopses": [_oops_as_json(oops) for oops in run.oopses]} if run.oopses else {}),
            "host": {"wall_seconds": round(wall_seconds, 6), **host()},
        },
        indent=2,
    )


def _oops_as_json(oops: Oops) -> dict[str, Any]:
    error = type(oops.error).__name__
    return {"module": oops.module, "where": oops.where, "error": error, "trace": oops.trace}


def show(run: Run, details: bool) -> None:
    """Print the report: its story, or all of it.  A report without a story is printed whole."""
    goal = [Text(str(run.outcome))] if run.outcome else []
    everything = [*run.parts, *_figures(run), *goal]
    parts = everything if details or not run.story else [*run.story, *goal]
    summary = f"{run.now / 1e9:.9g} s simulated, {run.events} events, seed {run.seed}"
    if len(parts) < len(everything):
        summary += "; more with --details"
    if run.default_costs:
        summary += f"\nSimulated times: {accuracy()}."
    show_parts(parts, summary)


def show_parts(parts: list[Text | Table], summary: str) -> None:
    """Print paragraphs and tables, and a last line."""
    if sys.stdout.isatty():
        _pretty(parts, summary)
    else:
        click.echo("\n\n".join([*map(_plain, parts), summary]))


def _figures(run: Run) -> list[Table]:
    rows = tuple(_flat({name: value for name, value in run.metrics.items() if name not in run.aside}))
    return [Table("Figures", ("figure", "value"), rows)] if rows else []


def _flat(metrics: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str | int | float | None]]:
    for name, value in metrics.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        elif isinstance(value, list | bool):
            yield prefix + name, json.dumps(value)
        else:
            yield prefix + name, value


class _Column(NamedTuple):
    """A column of a table as text; `right` is where one of nothing but numbers stands."""

    heading: str
    cells: tuple[str, ...]
    right: bool

    @property
    def width(self) -> int:
        """As wide as its widest text."""
        return max(map(len, (self.heading, *self.cells)))

    def aligned(self) -> Iterator[str]:
        """All its texts, each as wide as the column."""
        for text in (self.heading, *self.cells):
            yield text.rjust(self.width) if self.right else text.ljust(self.width)

    def narrow_heading(self) -> str:
        """The heading in several lines, where it is wider than the cells and than NARROW."""
        return fill(self.heading, max(NARROW, *map(len, self.cells)), break_long_words=False)


def _columns(table: Table) -> list[_Column]:
    cells = zip(*table.rows, strict=True) if table.rows else repeat((), len(table.columns))
    return [
        _Column(heading, tuple(map(_cell, column)), all(map(_is_number, column)))
        for heading, column in zip(table.columns, cells, strict=True)
    ]


def _cell(cell: Cell) -> str:
    return "" if cell is None else str(cell)


def _is_number(cell: Cell) -> bool:
    return not isinstance(cell, str) or NUMBER.fullmatch(cell) is not None


def _plain(part: Text | Table) -> str:
    if isinstance(part, Text):
        return part.text
    lines = zip(*(column.aligned() for column in _columns(part)), strict=True)
    return "\n".join([part.title, *(f"  {'  '.join(line)}".rstrip() for line in lines)])


def _pretty(parts: list[Text | Table], summary: str) -> None:
    from rich.console import Console
    from rich.text import Text as RichText

    console = Console(highlight=False)
    for part in parts:
        console.print(RichText(part.text) if isinstance(part, Text) else _grid(part, console.width))
        console.print()
    console.print(RichText(summary, style="dim"))


def _grid(table: Table, width: int) -> RichTable:
    """A table for a terminal.  Where it is too wide texts are folded, and numbers are whole."""
    from rich import box
    from rich.table import Table as RichTable
    from rich.text import Text as RichText

    title = RichText(table.title, style="bold")
    grid = RichTable(title=title, title_justify="left", box=box.SIMPLE_HEAD, show_edge=False)
    columns = _columns(table)
    too_wide = sum(column.width + GAP for column in columns) > width
    for column in columns:
        if column.right:
            heading = column.narrow_heading() if too_wide else column.heading
            grid.add_column(RichText(heading), justify="right", no_wrap=True)
        else:
            grid.add_column(RichText(column.heading), overflow="fold")
    for row in zip(*(column.cells for column in columns), strict=True):
        grid.add_row(*map(RichText, row))
    return grid
