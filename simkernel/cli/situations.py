"""`simkernel situations`: list all situations, or explain one. A situation is behaviour of Linux, such as an
interrupted netlink dump, that a test can request.
"""

from __future__ import annotations

from textwrap import fill, indent

import click

from simkernel.cli.completion import offer
from simkernel.cli.listing import WIDEST
from simkernel.cli.nearest import unknown


def _names(_: object) -> list[str]:
    from simkernel.testing.situations.registry import SITUATIONS

    return list(SITUATIONS)


@click.command("situations", short_help="List or explain situations that a test can request.")
@click.argument("name", required=False, shell_complete=offer(_names))
def command(name: str | None) -> None:
    """List the situations, or explain one: the behaviour of Linux, issues of public projects, and an example
    program.
    """
    from simkernel.testing.situations.registry import SITUATIONS

    if name is None:
        width = max(map(len, SITUATIONS))
        for situation in SITUATIONS.values():
            click.echo(f"{situation.name:{width}}  {situation.summary}")
        return
    if name not in SITUATIONS:
        raise unknown("situation", name, SITUATIONS)
    situation = SITUATIONS[name]
    click.echo(f"{click.style(name, bold=True)}: {situation.summary}\n")
    click.echo(fill(situation.linux, WIDEST) + "\n")
    click.echo(f"It needs {situation.needs}.\n")
    click.echo("\n".join(situation.evidence) + "\n")
    click.echo(indent(situation.snippet, " " * 4), nl=False)
