"""`simkernel plot`: plot the output of `simkernel bench --json` or `simkernel run ipc --json`."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib import import_module
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import click

from simkernel.cli.options import file_option
from simkernel.cli.outputs import Outputs

KINDS: Final = (".png", ".svg", ".pdf")
Told = dict[str, Any]


@click.command("plot", short_help="Plot a benchmark or a comparison of transports.")
@click.argument("file", metavar="FILE.json", type=click.File(encoding="utf-8"))
@file_option(
    "--output",
    "-o",
    metavar="PICTURE",
    help="PNG, SVG or PDF file; the suffix selects the format.  [default: FILE.png]",
)
def command(file: Any, output: str | None) -> None:
    """Plot the output of `simkernel bench --json` or `simkernel run ipc --json`.

    The plot of a benchmark shows each ratio with its limit and its aim, and the growth curves. The plot of
    the comparison shows the capabilities and latencies of each transport.
    """
    told, draw = _read(file)
    path = Path(output) if output else Path(file.name).with_suffix(".png")
    if (kind := path.suffix.lower()) not in KINDS:
        raise click.UsageError(f"unknown format {kind!r} of {path}: the name must end in {', '.join(KINDS)}")
    with Outputs({"output": str(path)}, [file.name], binary="output") as outputs:
        try:
            draw(told).savefig(picture := BytesIO(), format=kind[1:])
        except ImportError:
            message = "matplotlib is not installed: pip install 'simkernel[plot]'"
            raise click.ClickException(message) from None
        outputs["output"].write(picture.getvalue())
    click.echo(path)


def _read(file: Any) -> tuple[Told, Callable[[Told], Any]]:
    """Return the data of a file, and the function that plots it."""
    try:
        told = dict(json.load(file))
        if "rows" in told and all("ratio" in row for row in told["rows"]):
            return told, import_module("simkernel.cli.plot_bench").draw
        if told["scenario"] == "ipc" and told["metrics"]:
            return told, import_module("simkernel.cli.plot_ipc").draw
    except (ValueError, LookupError, TypeError):
        pass
    raise click.UsageError(
        f"{file.name} is not the output of `simkernel bench --json` or `simkernel run ipc --json`"
    )
