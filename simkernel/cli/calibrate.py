"""`simkernel calibrate`: simulated times of operations beside times measured on a real kernel."""

from __future__ import annotations

import json as json_format
import platform
from statistics import median
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
from simkernel.scenario.figures import quantiles
from simkernel.scenario.report import Cell
from simkernel.tools.calibration import host
from simkernel.tools.calibration.compare import (
    NO_SUCH,
    Figure,
    Row,
    compare,
    cross_validate,
    operations,
    read,
    summary,
)
from simkernel.tools.calibration.fit import fitted
from simkernel.tools.calibration.operations import KINDS, OPERATIONS
from simkernel.tools.calibration.parameters import parameters
from simkernel.tools.calibration.recorded import RECORDED

COLUMNS = ("operation", "size", "measured ns", "simulated ns", "error")


QUANTILES = ("operation", "size", "p50", "simulated", "p90", "simulated", "p99", "simulated")
PREDICTIONS = ("operation", "size", "measured ns", "predicted ns", "error", "without operation")
SINGLES = 500
"""Number of times that an operation is simulated to compute its quantiles."""


@click.command("calibrate", short_help="Compare simulated and measured times, or measure this host.")
@click.option(
    "--against",
    "file",
    metavar="FILE.json",
    type=click.File(encoding="utf-8"),
    help="Simulate the operations that this file has measurements of.",
)
@click.option("--host", "measuring", is_flag=True, help="Measure this host, and fit the prices to it.")
@click.option(
    "--cross-validate", "crossed", is_flag=True, help="Predict each measurement of the file from the others."
)
@click.option("--jitter", is_flag=True, help="Compare measured and simulated quantiles of single operations.")
@click.option("--json", is_flag=True, help="Print one JSON object instead of the table.")
@file_option("--output", "-o", help="With --host: write the measurements and the costs to this file.")
@costs_option
@click.pass_context
def command(
    ctx: click.Context,
    file: IO[str] | None,
    measuring: bool,
    crossed: bool,
    jitter: bool,
    json: bool,
    output: str | None,
    costs: CostModel | None,
) -> None:
    """Run operations in the simulation, and print simulated times beside measured ones.

    With --against the file has the measured times: {"ns": {operation: {size: nanoseconds}}}. If an operation
    is unknown or the simulated kernel refuses it, its row names the problem, and the exit code is 1. With
    --jitter charges vary, and the table compares simulated quantiles with the file's "spread".

    With --cross-validate each measurement is predicted from the others, then from the other operations. A row
    is "fixed by itself" if the others do not determine its prices. --jitter and --cross-validate use the
    measurements that ship with simkernel unless --against names others.

    With --host a C program measures this machine, and prices are fitted to the result. This needs Linux and
    a C compiler. The output is for --costs and for --against.
    """
    if measuring:
        if file is not None or crossed or jitter or costs is not None:
            raise click.UsageError("--host takes only the options -o and --json: leave the others out")
        with Outputs({"output": output}) as outputs:
            _host(json, outputs)
        return
    if crossed and jitter:
        raise click.UsageError("--cross-validate and --jitter: leave one of them out")
    if file is None and not crossed and not jitter:
        raise click.UsageError("say what to do: --against FILE.json, --cross-validate, --jitter or --host")
    if output is not None:
        raise click.UsageError("-o writes the result of --host: add --host, or leave -o out")
    try:
        figures = read(RECORDED.read_text("utf-8") if file is None else file.read())
        if crossed or jitter:
            (_cross_validate if crossed else _quantiles)(figures, costs or CostModel(), json)
            return
    except (SimulationError, UnicodeDecodeError, OSError) as error:
        raise click.UsageError(f"{RECORDED.name if file is None else file.name}: {error}") from None
    with Blame(debug=False):
        rows = list(compare(figures, costs or CostModel()))
    if json:
        click.echo(json_format.dumps({"rows": [row.as_json() for row in rows]}, indent=2))
    else:
        show_parts(_parts(rows), _summary(rows))
    if any(row.problem for row in rows):
        ctx.exit(FAILED)


def _cross_validate(figures: list[Figure], costs: CostModel, json: bool) -> None:
    announce("fitting")
    predictions = cross_validate(figures, costs)
    count, middle, largest = summary(predictions)
    if json:
        rows = [each.as_json() for each in predictions]
        report = {"rows": rows, "median_error": round(middle, 4), "largest_error": round(largest, 4)}
        click.echo(json_format.dumps(report, indent=2))
        return
    cells = []
    for each in predictions:
        error, without = ("" if error is None else f"{error:+.1%}" for error in each.errors())
        ns = "" if each.without_figure is None else f"{each.without_figure:.1f}"
        measured = f"{each.figure.measured:.1f}"
        cells.append((each.figure.name, each.figure.size, measured, ns, error or "fixed by itself", without))
    show_parts(
        [Table("Each measurement predicted from the others", PREDICTIONS, tuple(cells))],
        f"{count} of {len(cells)} rows predicted, the median error is {middle:.1%}, "
        f"the largest {largest:.1%}",
    )


def _quantiles(figures: list[Figure], costs: CostModel, json: bool) -> None:
    rows = [
        (each, [ns or 0 for ns in quantiles(operation.times(costs, SINGLES, jitter=True)).values()])
        for operation, each in operations(figures).items()
        if each.quantiles
    ]
    if not rows:
        raise SimulationError(
            'the object "spread" is missing; `simkernel calibrate --host -o FILE` measures it'
        )
    if json:
        report = [
            {"operation": each.name, "size": each.size, "measured_ns": each.quantiles, "simulated_ns": found}
            for each, found in rows
        ]
        click.echo(json_format.dumps({"rows": report}, indent=2))
        return
    pairs = [(each, list(zip(each.quantiles, found, strict=True))) for each, found in rows]
    errors = [abs(simulated / ns - 1) for _, row in pairs for ns, simulated in row]
    cells: list[tuple[Cell, ...]] = [
        (each.name, each.size, *(f"{ns:.0f}" for pair in row for ns in pair)) for each, row in pairs
    ]
    show_parts(
        [Table("Quantiles of single operations, measured and simulated [ns]", QUANTILES, tuple(cells))],
        f"{len(rows)} rows, the median error is {median(errors):.1%}, the largest {max(errors):.1%}",
    )


def _host(json: bool, outputs: Outputs) -> None:
    try:
        cc = host.compiler()
        way = f"a program that {cc} compiled"
        announce(f"measuring, by {way}")
        with Blame(debug=False):
            measured = host.measure(OPERATIONS, cc)
            announce("fitting")
            found = fitted(measured, CostModel())
            figures = [Figure(each.name, each.size, took.ns) for each, took in measured.items()]
            rows = list(compare(figures, found))
    except SimulationError as error:
        raise click.ClickException(str(error)) from None
    ns: dict[str, dict[str, float]] = {}
    spread: dict[str, dict[str, list[int]]] = {}
    for operation, took in measured.items():
        ns.setdefault(operation.name, {})[str(operation.size)] = round(took.ns, 1)
        spread.setdefault(operation.name, {})[str(operation.size)] = [*map(round, took.quantiles)]
    report = {
        "what": f"Nanoseconds per operation, measured by {way}, and the prices that were fitted to them.",
        "kernel": platform.release(),
        "ns": ns,
        "spread": spread,
        "parameters": parameters(found),
        "factors": found.spread,
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
