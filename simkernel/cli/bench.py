"""`simkernel bench`: measure the speed of simkernel on this host, and print each figure beside a reference
measurement (its anchor).
"""

from __future__ import annotations

import json as json_format
import os
import sys
from collections.abc import Iterator
from shutil import get_terminal_size

import click

from simkernel.cli.blame import Blame
from simkernel.cli.host import host
from simkernel.cli.progress import announce
from simkernel.cli.report import show_parts
from simkernel.scenario import Table, Text
from simkernel.tools.bench import FULL, QUICK, TABLE, Line
from simkernel.tools.bench.soak import SOAKS, Soak

ROWS = click.Choice(sorted({quantity.row for quantity in TABLE}), case_sensitive=False)
WIDEST_BAR = 40
COLUMNS = ("row", "quantity", "figure", "over", "ratio", "must hold", "aim", "spread", "")
WIDE = 156
"""Minimum width, in characters, of a terminal that shows all columns in one table."""
HALVES = {"Speed": (0, 1, 4, 5, 6, 8), "What was measured": (0, 1, 2, 3, 7)}
"""On a terminal narrower than WIDE, two tables replace the one wide table. Keys are the titles of the two
tables, and values are their columns, as indexes into COLUMNS.
"""

LEGEND = (
    "E is a bare event of simpy, T2 is two of them. Figure and anchor are the best of many short rounds, "
    "which alternate, in CPU time. The ratio is figure over anchor. The spread is the interquartile range "
    "of the rounds' ratios. Memory is measured by tracemalloc."
)


@click.command("bench", short_help="Measure the speed of simkernel on this host.")
@click.option(
    "--row", "rows", type=ROWS, multiple=True, help="Measure only this row of the table; may be repeated."
)
@click.option("--quick", is_flag=True, help="Measure roughly, in less than 30 s.")
@click.option("--soak", is_flag=True, help="Also measure memory during ten million round trips.")
@click.option("--json", is_flag=True, help="Print one JSON object instead of the tables.")
def command(rows: tuple[int, ...], quick: bool, soak: bool, json: bool) -> None:
    """Measure the speed and memory use of simkernel, in alternation with reference measurements of stock
    simpy, the real kernel and pyroute2.

    Rows whose anchor is missing on this host (AF_NETLINK, pyroute2) are skipped, with the reason. The exit
    code is 0 for all figures.
    """
    effort = QUICK if quick else FULL
    with Blame(debug=False):
        lines = []
        for quantity in TABLE:
            if not rows or quantity.row in rows:
                announce(f"row {quantity.row}: {quantity.what}")
                lines.append(quantity.measured(effort))
        soaked = []
        for each in SOAKS if soak else ():
            announce(each.what)
            soaked.append(each.run())
    if json:
        click.echo(json_format.dumps(_as_json(lines, soaked), indent=2))
    else:
        told = host()
        system = f"Python {told['python']}, {os.cpu_count()} CPUs, {told['system']}"
        show_parts([*_tables(lines, soaked), *_reasons(lines), Text(LEGEND)], system)


def _as_json(lines: list[Line], soaked: list[Soak]) -> dict[str, object]:
    growth = [
        {
            "name": line.quantity.name,
            "what": line.quantity.what,
            "counts": line.quantity.growth,
            "points": points,
        }
        for line in lines
        if (points := line.points)
    ]
    told: dict[str, object] = {"rows": [line.as_json() for line in lines], "growth": growth}
    if soaked:
        told["soak"] = [each.as_json() for each in soaked]
    return {**told, "host": {**host(), "cpus": os.cpu_count()}}


# -- text for a terminal --------------------------------------------------------


def _tables(lines: list[Line], soaked: list[Soak]) -> Iterator[Table]:
    rows = tuple(map(_row, lines))
    if sys.stdout.isatty() and get_terminal_size().columns < WIDE:
        for title, places in HALVES.items():
            narrow = tuple(tuple(row[place] for place in places) for row in rows)
            yield Table(title, tuple(COLUMNS[place] for place in places), narrow)
    else:
        yield Table("Speed", COLUMNS, rows)
    yield from (_curve(line) for line in lines if line.points)
    if soaked:
        memory = [(each.what, of, *map(_number, amounts)) for each in soaked for of, *amounts in each.memory]
        yield Table("Memory over time", ("what", "of", "before", "after"), tuple(memory))


def _reasons(lines: list[Line]) -> Iterator[Text]:
    for line in lines:
        if line.measurement is None:
            yield Text(f"Skipped: row {line.quantity.row}, {line.quantity.what}: {line.skipped}.")


def _row(line: Line) -> tuple[str | int | float | None, ...]:
    quantity, measured = line.quantity, line.measurement
    sign = "<=" if quantity.better == "lower" else ">="
    bounds = f"{sign} {quantity.must_hold:g}", f"{sign} {quantity.aim:g}"
    if measured is None:
        return quantity.row, quantity.what, "", "", None, *bounds, "", "skipped"
    return (
        quantity.row,
        quantity.what,
        f"{_number(measured.figure)} {quantity.unit}",
        f"{_number(measured.anchor)} {quantity.over}",
        _number(measured.ratio),
        *bounds,
        f"{measured.spread:.0%}",
        line.verdict,
    )


def _curve(line: Line) -> Table:
    scale = WIDEST_BAR / max(value for _, value in line.points)
    rows = [(count, _number(value), "#" * round(scale * value)) for count, value in line.points]
    counts = str(line.quantity.growth)
    return Table(f"Round trip over T2, by {counts}", (counts, "T2", ""), tuple(rows))


def _number(value: float) -> str:
    """Format a number. From 1000 on, round it to an integer and put a space between groups of three digits.
    Below 1000, keep three significant digits.
    """
    return f"{value:,.0f}".replace(",", " ") if abs(value) >= 1000 else f"{value:.3g}"
