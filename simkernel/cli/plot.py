"""`simkernel plot`: a picture of what `simkernel bench --json` or `simkernel run ipc --json` printed."""

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


@click.command("plot", short_help="A picture of a benchmark, or of a comparison.")
@click.argument("file", metavar="FILE.json", type=click.File(encoding="utf-8"))
@file_option("--output", "-o", metavar="PICTURE", help="PNG, SVG or PDF, by its ending [default: FILE.png].")
def command(file: Any, output: str | None) -> None:
    """Draw what `simkernel bench --json > FILE.json` has measured, or `simkernel run ipc --json`.

    Of a benchmark the ratios against what must hold and what is aimed at, and the curves of growth; of
    the comparison what each way can do, and how long it takes.
    """
    told, draw = _read(file)
    path = Path(output) if output else Path(file.name).with_suffix(".png")
    if (kind := path.suffix.lower()) not in KINDS:
        raise click.UsageError(f"{path} ends in {kind!r}: the name must end in {', '.join(KINDS)}")
    with Outputs({"output": str(path)}, [file.name], binary="output") as outputs:
        try:
            draw(told).savefig(picture := BytesIO(), format=kind[1:])
        except ImportError:
            message = "matplotlib is not installed: pip install 'simkernel[plot]'"
            raise click.ClickException(message) from None
        outputs["output"].write(picture.getvalue())
    click.echo(path)


def _read(file: Any) -> tuple[Told, Callable[[Told], Any]]:
    """What is in a file, and who draws it."""
    try:
        told = dict(json.load(file))
        if "rows" in told and all("ratio" in row for row in told["rows"]):
            return told, import_module("simkernel.cli.plot_bench").draw
        if told["scenario"] == "ipc" and told["metrics"]:
            return told, import_module("simkernel.cli.plot_ipc").draw
    except (ValueError, LookupError, TypeError):
        pass
    raise click.UsageError(
        f"{file.name} is not what `simkernel bench --json` prints, nor `simkernel run ipc --json`"
    )
