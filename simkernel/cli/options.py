"""Options that several subcommands have."""

from __future__ import annotations

from functools import partial
from typing import IO

import click

from simkernel.cli.completion import offer
from simkernel.cli.outputs import INPUTS
from simkernel.engine import SimulationError
from simkernel.kernel.lib.costs import CostModel
from simkernel.tools.calibration.parameters import read_costs


def _read(ctx: click.Context, option: click.Parameter, file: IO[str] | None) -> CostModel | None:
    if file is None:
        return None
    ctx.meta.setdefault(INPUTS, []).append(file.name)
    try:
        return read_costs(file.read())
    except (SimulationError, UnicodeDecodeError) as error:
        raise click.BadParameter(f"{file.name}: {error}") from None


file_option = partial(click.option, metavar="FILE", shell_complete=offer(lambda _: ()))

costs_option = click.option(
    "--costs",
    metavar="FILE",
    type=click.File(encoding="utf-8"),
    callback=_read,
    help="File of prices, as `simkernel calibrate --host -o FILE` writes it.",
)

module_path_option = click.option(
    "--module-path",
    type=click.Path(exists=True, file_okay=False),
    metavar="DIR",
    multiple=True,
    help="A folder with your own modules.",
)
