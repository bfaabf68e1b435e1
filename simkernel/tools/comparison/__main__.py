"""The command line of the comparison."""

from __future__ import annotations

import json as json_format
import os
import platform
from collections.abc import Iterator, Sequence
from datetime import date

import click
from attrs import asdict

from simkernel.tools import comparison
from simkernel.tools.comparison.measure import Result, measure
from simkernel.tools.comparison.rows import ROWS, has_kvm

COLUMNS = ["approach", "answered by", "needs root?", "first green test", "fresh machines a second"]
COLUMNS += ["same run twice?", "unplug at step 3?"]
ROOT = {True: "yes", False: "no", None: "not tested"}


@click.command()
@click.option("--only", type=click.Choice(list(ROWS)), multiple=True, help="Only this row; may be repeated.")
@click.option("--seconds", type=click.FloatRange(min=0.01), default=1.0, help="How long to count machines.")
@click.option("--json", is_flag=True, help="Print one JSON object instead of the table.")
def main(only: tuple[str, ...], seconds: float, json: bool) -> None:
    """Measure simkernel and alternative tools with the same test, and print a Markdown table."""
    results = [measure(ROWS[name], seconds) for name in only or ROWS]
    kvm = "with" if has_kvm() else "without"
    system = f"{platform.platform()}, {os.cpu_count()} CPUs, {kvm} KVM, Python {platform.python_version()}"
    if json:
        report = {"rows": [asdict(each) for each in results], "date": str(date.today()), "host": system}
        click.echo(json_format.dumps(report, indent=2))
        return
    click.echo("\n".join(markdown(results)) + f"Measured on {date.today()}: {system}.")


def markdown(results: Sequence[Result]) -> Iterator[str]:
    """Yield the lines of the table, then the lines of its notes."""
    for cells in (COLUMNS, ["---"] * len(COLUMNS), *map(_cells, results)):
        yield f"| {' | '.join(cells)} |"
    yield ""
    yield "Versions: " + "; ".join(f"{each.name}: {each.version}" for each in results if each.version) + ".\n"
    yield "Quoted" + (comparison.__doc__ or "").partition("Quoted")[2]


def _cells(result: Result) -> list[str]:
    row, rate = ROWS[result.name], result.machines_per_second
    if result.error:
        return [row.name, row.answers, "", result.error, "", "", ""]
    figures = [f"{result.first_green:.2f} s", f"{rate:.0f}" if rate >= 10 else f"{rate:.2g}"]
    return [row.name, row.answers, ROOT[result.root], *figures, result.same, f"yes: {row.unplugs}"]


if __name__ == "__main__":
    main()
