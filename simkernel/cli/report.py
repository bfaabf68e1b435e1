"""Report of a run: tables and colours on a terminal, plain text in a pipe, or one JSON object.

The default is the summary, which fits on one screen. `--details` adds the other parts and the figures.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from itertools import repeat
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

import attrs
import click

from simkernel.cli.host import host
from simkernel.scenario import Run, Table, Text
from simkernel.scenario.report import Cell
from simkernel.tools.calibration.recorded import accuracy

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text as RichText

    from simkernel.kernel.oops import Oops

NUMBER: Final = re.compile(r"[-+]?[0-9]+(\.[0-9]+)?")
GAP: Final = 3
"""Spaces between two columns on a terminal."""
PATH_WIDTH: Final = 12
"""Minimum width in characters of a column with paths or dumps. A path or a dump can be split between two
lines, but an ordinary word cannot.
"""


def as_json(run: Run, sha256: str, wall_seconds: float) -> str:
    """Return the results of a run as JSON. Results that differ between hosts are in the object "host"; all
    others are equal on all hosts.
    """
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
    """Print the summary of a report. If `details` is True or the report has no summary, print the whole
    report.
    """
    goal = [Text(str(run.outcome))] if run.outcome else []
    everything = [*run.parts, *_figures(run), *goal]
    parts = everything if details or not run.summary else [*run.summary, *goal]
    summary = f"{run.now / 1e9:.9g} s simulated, {run.events} events, seed {run.seed}"
    if len(parts) < len(everything):
        summary += "; more with --details"
    if run.default_costs:
        summary += f"\nSimulated times: {accuracy()}."
    show_parts(parts, summary)


def show_parts(parts: list[Text | Table], summary: str) -> None:
    """Print paragraphs and tables, and `summary` as the last line."""
    if sys.stdout.isatty():
        _pretty(parts, summary)
    else:
        click.echo("\n\n".join([*map(_plain, parts), summary]))


def _figures(run: Run) -> list[Table]:
    rows = tuple(_flat({name: value for name, value in run.metrics.items() if name not in run.json_only}))
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
    """A column of a text table. If all cells are numbers, `right` is True and the text is right-aligned."""

    heading: str
    cells: tuple[str, ...]
    right: bool

    @property
    def width(self) -> int:
        """Length of the longest text."""
        return max(map(len, (self.heading, *self.cells)))

    def aligned(self) -> Iterator[str]:
        """Yield the heading and the cells, padded to the column's width."""
        for text in (self.heading, *self.cells):
            yield text.rjust(self.width) if self.right else text.ljust(self.width)

    @property
    def min_width(self) -> int:
        """Minimum width at which each number and each word of letters fits into one line."""
        widths = [1, *(len(cell) for cell in self.cells if self.right)]
        for text in (self.heading, *self.cells):
            indent = len(text) - len(text.lstrip())
            for word in text.split():
                widths.append(indent + (len(word) if word.isalpha() else min(len(word), PATH_WIDTH)))
        return max(widths)


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


def _grid(table: Table, width: int) -> RenderableType:
    """Return a table that wraps between words, or a list of its rows if words do not fit into the columns."""
    from rich import box
    from rich.table import Table as RichTable
    from rich.text import Text as RichText

    title = RichText(table.title, style="bold")
    columns = _columns(table)
    widths = _widths(columns, width)
    if widths is None:
        return _list(title, columns)
    grid = RichTable(title=title, title_justify="left", box=box.SIMPLE_HEAD, show_edge=False)
    for column, wide in zip(columns, widths, strict=True):
        justify: Literal["left", "right"] = "right" if column.right else "left"
        grid.add_column(RichText(column.heading), justify=justify, width=wide, overflow="fold")
    for row in zip(*(column.cells for column in columns), strict=True):
        grid.add_row(*map(RichText, row))
    return grid


def _widths(columns: list[_Column], width: int) -> list[int] | None:
    """Return the width of each column for a table that is at most `width` characters wide. Return None if a
    word would not fit into its column.
    """
    widths = [column.min_width for column in columns]
    rest = width - sum(widths) - GAP * len(columns)
    if rest < 0:
        return None
    for _ in range(rest):
        lacking = [column.width - wide for column, wide in zip(columns, widths, strict=True)]
        if max(lacking, default=0) == 0:
            break
        widths[lacking.index(max(lacking))] += 1
    return widths


def _list(title: RichText, columns: list[_Column]) -> RenderableType:
    """Return the rows of a table, each as a list of its cells."""
    from rich.console import Group
    from rich.padding import Padding
    from rich.text import Text as RichText

    lines = []
    for row in zip(*(column.cells for column in columns), strict=True):
        filled = [(column.heading, cell) for column, cell in zip(columns, row, strict=True) if cell.strip()]
        for number, (heading, cell) in enumerate(filled):
            lines.append(Padding(RichText(f"{heading}: {cell.strip()}"), (0, 0, 0, 4 if number else 2)))
    return Group(title, *lines)
