"""`simkernel list`: the scenarios and what each is for."""

from __future__ import annotations

from pathlib import Path
from textwrap import TextWrapper

import click

from simkernel.cli import stories

_HELP = TextWrapper(width=96, initial_indent=" " * 10, subsequent_indent=" " * 10)
_WRAP = TextWrapper(width=96, initial_indent="    ", subsequent_indent=" " * 18, break_on_hyphens=False)


@click.command("list", short_help="The scenarios, and what each is for.")
@click.argument("names", metavar="[NAME|FILE]...", nargs=-1)
def command(names: tuple[str, ...]) -> None:
    """List the scenarios, or tell all about the named ones, parameters included."""
    for name in names or stories.names():
        path = stories.find(name)
        _describe(path)
        if names:
            _parameters(path)


def _describe(path: Path) -> None:
    told = stories.sections(stories.docstring(path))
    click.echo(f"{click.style(path.stem, bold=True):10}  {told.pop('')}")
    for heading, text in told.items():
        click.echo(_WRAP.fill(f"{heading + ':':14}{text}"))


def _parameters(path: Path) -> None:
    from simkernel.cli.blame import Blame  # needs the engine, and a mere list shall start quickly

    with Blame(debug=False):
        parameters = stories.load(path).parameters
    for parameter in parameters:
        default = str(parameter.default).lower() if parameter.kind is bool else parameter.default
        click.echo(f"    --set {parameter.name}={default}")
        click.echo(_HELP.fill(f"{parameter.help + ': ' if parameter.help else ''}{parameter.range}"))
