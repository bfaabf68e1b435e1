"""A run's report: tables and colour on a terminal, plain text in a pipe, or one JSON object."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import click

from simkernel.cli.host import host
from simkernel.scenario import Run, Table, Text


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
            "host": {"wall_seconds": round(wall_seconds, 6), **host()},
        },
        indent=2,
    )


def show(run: Run) -> None:
    """Print the report."""
    summary = f"{run.now / 1e9:.9g} s simulated, {run.events} events, seed {run.seed}"
    show_parts([*run.parts, *_figures(run)], summary)


def show_parts(parts: list[Text | Table], summary: str) -> None:
    """Print paragraphs and tables, and a last line."""
    if sys.stdout.isatty():
        _pretty(parts, summary)
    else:
        click.echo("\n\n".join([*map(_plain, parts), summary]))


def _figures(run: Run) -> list[Table]:
    rows = tuple(_flat(run.metrics))
    return [Table("Figures", ("figure", "value"), rows)] if rows else []


def _flat(metrics: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str | int | float | None]]:
    for name, value in metrics.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        elif isinstance(value, list | bool):
            yield prefix + name, json.dumps(value)
        else:
            yield prefix + name, value


def _plain(part: Text | Table) -> str:
    if isinstance(part, Text):
        return part.text
    rows = [part.columns, *([_cell(cell) for cell in row] for row in part.rows)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(part.columns))]
    right = _numeric(part)
    lines = [
        "  ".join(
            cell.rjust(width) if number else cell.ljust(width)
            for cell, width, number in zip(row, widths, right, strict=True)
        ).rstrip()
        for row in rows
    ]
    return "\n".join([part.title, *(f"  {line}" for line in lines)])


def _pretty(parts: list[Text | Table], summary: str) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table as RichTable
    from rich.text import Text as RichText

    console = Console(highlight=False)
    for part in parts:
        if isinstance(part, Text):
            console.print(RichText(part.text))
        else:
            table = RichTable(
                title=RichText(part.title, style="bold"), title_justify="left", box=box.SIMPLE_HEAD
            )
            for column, right in zip(part.columns, _numeric(part), strict=True):
                table.add_column(RichText(column), justify="right" if right else "left")
            for row in part.rows:
                table.add_row(*(RichText(_cell(cell)) for cell in row))
            console.print(table)
        console.print()
    console.print(RichText(summary, style="dim"))


def _cell(cell: object) -> str:
    return "" if cell is None else str(cell)


def _numeric(table: Table) -> list[bool]:
    """Of each column, whether it holds nothing but numbers."""
    return [
        all(not isinstance(row[column], str) for row in table.rows) for column in range(len(table.columns))
    ]
