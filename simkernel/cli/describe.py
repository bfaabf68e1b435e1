"""`simkernel describe`: the operations and attributes of a netlink family, from its specification."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import click

from simkernel.cli.completion import offer
from simkernel.cli.options import module_path_option
from simkernel.kernel.loader.path import find_specification, read_specification, specifications, unreadable
from simkernel.kernel.netlink.genetlink import FAMILIES
from simkernel.shipped import shipped
from simkernel.ynl import Spec, SpecError
from simkernel.ynl.page import lines, page


@click.command("describe", short_help="Describe a netlink family.")
@click.argument(
    "name",
    metavar="FAMILY|FILE.yaml",
    shell_complete=offer(lambda ctx: specifications(_folders(ctx.params.get("module_path", ())))),
)
@click.option("--yaml", is_flag=True, help="Print the specification itself.")
@module_path_option
def command(name: str, yaml: bool, module_path: tuple[str, ...]) -> None:
    """Describe a generic netlink family: nlctrl, a family of a module on the module path, or the family that
    a specification file declares.
    """
    path = Path(name) if name.endswith((".yaml", ".yml")) else _find(name, module_path)
    try:
        spec = read_specification(path)
        text = path.read_text("utf-8")
    except OSError as error:
        raise click.UsageError(f"cannot read {name}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise click.ClickException(unreadable(path.name, error)) from None
    except SpecError as error:
        raise click.ClickException(str(error)) from None
    if yaml:
        click.echo(text, nl=False)
    elif sys.stdout.isatty():
        _print(spec)
    else:
        click.echo("\n".join(lines(spec)).rstrip())


def _find(family: str, module_path: tuple[str, ...]) -> Path:
    try:
        return find_specification(family, _folders(module_path))
    except LookupError as error:
        raise click.UsageError(str(error.args[0])) from None


def _folders(module_path: tuple[str, ...]) -> list[Path]:
    return [FAMILIES, shipped("drivers"), *map(Path, module_path)]


def _print(spec: Spec) -> None:
    from rich.console import Console
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    for section in page(spec):
        console.print(Text(section.heading, style="bold"))
        if text := _unwrapped(section.text):
            console.print(Padding(Text(text), (0, 2)))
        grid = Table.grid(padding=(0, 2))
        for _ in next(iter(section.rows), ()):
            grid.add_column(overflow="fold")
        for row in section.rows:
            grid.add_row(*map(Text, row))
        console.print(Padding(grid, (0, 2)))
        console.print()


def _unwrapped(text: str) -> str:
    """Join the lines of each paragraph. A line that does not begin with a letter, such as a list item, is not
    joined to the line before it.
    """
    return re.sub(r"(?<=\S)\n(?=[^\W\d_])", " ", text.strip())
