"""`simkernel list`: the scenarios and what each is for."""

from __future__ import annotations

from pathlib import Path
from textwrap import TextWrapper

import click

from simkernel.cli import stories

_WRAP = TextWrapper(width=96, initial_indent="    ", subsequent_indent=" " * 18, break_on_hyphens=False)


@click.command("list")
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
    for parameter in stories.load(path).parameters:
        click.echo(
            _WRAP.fill(f"--set {parameter.name}={parameter.default}  {parameter.range}. {parameter.help}")
        )
