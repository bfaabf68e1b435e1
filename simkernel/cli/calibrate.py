"""`simkernel calibrate`: what simulated operations take beside what a real kernel took for them."""

from __future__ import annotations

import json as json_format
import platform
from typing import IO

import click

from simkernel.cli.blame import Blame
from simkernel.cli.exits import FAILED
from simkernel.cli.options import costs_option, file_option
from simkernel.cli.outputs import Outputs
from simkernel.cli.progress import announce
from simkernel.cli.report import show_parts
from simkernel.engine import SimulationError
from simkernel.kernel.lib.costs import CostModel
from simkernel.scenario import Table, Text
from simkernel.tools.calibration import host
from simkernel.tools.calibration.compare import NO_SUCH, Figure, Row, compare, read
from simkernel.tools.calibration.fit import fitted
from simkernel.tools.calibration.operations import KINDS, OPERATIONS
from simkernel.tools.calibration.parameters import parameters

COLUMNS = ("operation", "size", "measured ns", "simulated ns", "error")


@click.command("calibrate", short_help="Simulated prices beside measured ones; prices of your machine.")
@click.option(
    "--against",
    "file",
    metavar="FILE.json",
    type=click.File(encoding="utf-8"),
    help="Run the operations that this file has measured.",
)
@click.option("--host", "measuring", is_flag=True, help="Measure this machine, and fit the prices to it.")
@click.option("--json", is_flag=True, help="Print one JSON object instead of the table.")
@file_option("--output", "-o", help="With --host: write the measurements and the costs to this file.")
@costs_option
@click.pass_context
def command(
    ctx: click.Context,
    file: IO[str] | None,
    measuring: bool,
    json: bool,
    output: str | None,
    costs: CostModel | None,
) -> None:
    """Run operations in the simulation, and print what they take beside what was measured.

    With --against the file says what was measured, in {"ns": {operation: {size: nanoseconds}}}. What is no
    operation, or what the simulated kernel refuses, is said in its row, and the exit code is 1.

    With --host a C program measures this machine, and prices are fitted to the result. This needs Linux and
    a C compiler. The output is for --costs and for --against.
    """
    if (file is None) == (not measuring):
        raise click.UsageError("say what to do: --against FILE.json, or --host")
    if measuring:
        if costs is not None:
            raise click.UsageError("--host finds prices: there is nothing to give with --costs")
        with Outputs({"output": output}) as outputs:
            _host(json, outputs)
        return
    if output is not None:
        raise click.UsageError("-o is for what --host has measured")
    assert file is not None
    try:
        figures = read(file.read())
    except (SimulationError, UnicodeDecodeError) as error:
        raise click.UsageError(f"{file.name}: {error}") from None
    with Blame(debug=False):
        rows = list(compare(figures, costs or CostModel()))
    if json:
        click.echo(json_format.dumps({"rows": [row.as_json() for row in rows]}, indent=2))
    else:
        show_parts(_parts(rows), _summary(rows))
    if any(row.problem for row in rows):
        ctx.exit(FAILED)


def _host(json: bool, outputs: Outputs) -> None:
    try:
        cc = host.compiler()
        way = f"a program that {cc} compiled"
        announce(f"measuring, by {way}")
        with Blame(debug=False):
            measured = host.measure(OPERATIONS, cc)
            announce("fitting")
            found = fitted(measured, CostModel())
            rows = list(compare([Figure(each.name, each.size, ns) for each, ns in measured.items()], found))
    except SimulationError as error:
        raise click.ClickException(str(error)) from None
    ns: dict[str, dict[str, float]] = {}
    for operation, took in measured.items():
        ns.setdefault(operation.name, {})[str(operation.size)] = round(took, 1)
    report = {
        "what": f"Nanoseconds per operation, measured by {way}, and the prices that were fitted to them.",
        "kernel": platform.release(),
        "ns": ns,
        "parameters": parameters(found),
    }
    text = json_format.dumps(report, indent=1)
    for output in outputs.values():
        output.write(f"{text}\n")
    if json:
        click.echo(text)
    else:
        prices = Table("Parameters", ("price", "ns"), tuple(parameters(found).items()))
        show_parts([prices, *_parts(rows)], _summary(rows))


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
    parts: list[Table | Text] = [Table("Prices", COLUMNS, tuple(cells))]
    if any(row.problem == NO_SUCH for row in rows):
        parts.append(Text("The operations are: " + " · ".join(kind.name.format("N") for kind in KINDS) + "."))
    return parts


def _summary(rows: list[Row]) -> str:
    errors = [abs(row.error) for row in rows if row.error is not None]
    worst = f", the largest error is {max(errors):.1%}" if errors else ""
    return f"{len(rows)} rows{worst}"
