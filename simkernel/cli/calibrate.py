"""`simkernel calibrate`: what simulated operations take beside what a real kernel took for them."""

from __future__ import annotations

import json as json_format
from typing import Any

import click

from simkernel.calibration.compare import Row, compare, names, read
from simkernel.cli.blame import Blame
from simkernel.cli.exits import FAILED
from simkernel.cli.report import show_parts
from simkernel.engine import SimulationError
from simkernel.kernel.costs import CostModel
from simkernel.scenario import Table, Text

COLUMNS = ("operation", "size", "measured ns", "simulated ns", "error")


@click.command("calibrate", short_help="Simulated prices beside measured ones.")
@click.option(
    "--against",
    "file",
    metavar="FILE.json",
    type=click.File(encoding="utf-8"),
    help="Run the operations that this file has measured.",
)
@click.option("--json", is_flag=True, help="Print one JSON object instead of the table.")
@click.pass_context
def command(ctx: click.Context, file: Any, json: bool) -> None:
    """Run each operation in the simulation, and print what it takes beside what was measured.

    What is no operation, or what the simulated kernel refuses, is said in its row, and the exit code is 1.
    """
    if file is None:
        raise click.UsageError("say what to do: --against FILE.json")
    try:
        figures = read(file.read())
    except (SimulationError, UnicodeDecodeError) as error:
        raise click.UsageError(f"{file.name}: {error}") from None
    with Blame(debug=False):
        rows = list(compare(figures, CostModel()))
    if json:
        click.echo(json_format.dumps({"rows": [row.as_json() for row in rows]}, indent=2))
    else:
        show_parts(_parts(rows), _summary(rows))
    if any(row.problem for row in rows):
        ctx.exit(FAILED)


def _parts(rows: list[Row]) -> list[Table | Text]:
    cells = [
        (
            row.figure.name,
            row.figure.size,
            f"{row.figure.measured:.1f}",
            "" if row.simulated is None else f"{row.simulated:.1f}",
            row.problem if row.error is None else f"{row.error:+.1%}",
        )
        for row in rows
    ]
    table = Table("Prices", COLUMNS, tuple(cells))
    if not any(row.problem.startswith("no such") for row in rows):
        return [table]
    return [table, Text("The operations are: " + " · ".join(names()) + ".")]


def _summary(rows: list[Row]) -> str:
    errors = [abs(row.error) for row in rows if row.error is not None]
    worst = f", the largest error is {max(errors):.1%}" if errors else ""
    return f"{len(rows)} rows{worst}"
