"""`simkernel list`: the scenarios with their purpose."""

from __future__ import annotations

import sys
from pathlib import Path
from textwrap import fill
from typing import Final

import click

from simkernel.cli import stories
from simkernel.cli.completion import offer

WIDEST: Final = 96
"""Maximum length of an output line in characters. On a narrower terminal, its width is the maximum."""


@click.command("list", short_help="List the scenarios, or describe one.")
@click.argument("names", metavar="[NAME|FILE]...", nargs=-1, shell_complete=offer(lambda _: stories.names()))
def command(names: tuple[str, ...]) -> None:
    """List the scenarios, or describe the named ones with their parameters."""
    for name in names or stories.names():
        path = stories.find(name)
        _describe(stories.called(path), path)
        if names:
            _parameters(path)


def _describe(name: str, path: Path) -> None:
    told = stories.sections(stories.docstring(path))
    first = _wrapped(f"{name}  {told.pop('')}", "", " " * (len(name) + 2))
    click.echo(click.style(name, bold=True) + first.removeprefix(name))
    for heading, text in told.items():
        click.echo(_wrapped(f"{heading + ':':14}{text}", " " * 4, " " * 18))


def _parameters(path: Path) -> None:
    # Imported only here: the import loads the engine, which `simkernel list` without a name does not need.
    from simkernel.cli.blame import Blame

    with Blame(debug=False):
        parameters = stories.load(path).parameters
    for parameter in parameters:
        default = str(parameter.default).lower() if parameter.kind is bool else parameter.default
        click.echo(f"    --set {parameter.name}={default}")
        about = f"{parameter.help + ': ' if parameter.help else ''}{parameter.range}"
        click.echo(_wrapped(about, " " * 10, " " * 10))


def _wrapped(text: str, first: str, others: str) -> str:
    width = WIDEST
    if sys.stdout.isatty():
        from shutil import get_terminal_size

        width = min(WIDEST, get_terminal_size().columns)
    return fill(text, width, initial_indent=first, subsequent_indent=others, break_on_hyphens=False)
