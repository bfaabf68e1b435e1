"""`simkernel guide`: the manual."""

from __future__ import annotations

import sys

import click

from simkernel import guide
from simkernel.cli.completion import offer
from simkernel.cli.nearest import unknown


@click.command("guide", short_help="Read the manual.")
@click.argument("topic", default=guide.INDEX, shell_complete=offer(lambda _: guide.topics()))
def command(topic: str) -> None:
    """Read the manual: a topic, or the index, which says what there is."""
    topics = guide.topics()
    if topic not in topics:
        raise unknown("topic", topic, topics)
    text = guide.text(topic)
    if sys.stdout.isatty():
        from rich.console import Console
        from rich.markdown import Markdown

        Console().print(Markdown(text))
    else:
        click.echo(text.rstrip())
