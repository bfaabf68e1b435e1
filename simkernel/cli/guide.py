"""`simkernel guide`: read the manual in a pager."""

from __future__ import annotations

import re
import sys

import click

from simkernel import guide
from simkernel.cli.completion import offer
from simkernel.cli.nearest import unknown


@click.command("guide", short_help="Read the manual.")
@click.argument("topic", default=guide.INDEX, shell_complete=offer(lambda _: guide.topics()))
def command(topic: str) -> None:
    """Read the manual: a topic, or the index of all topics.

    A terminal shows it in the pager that PAGER names, or in less(1).
    """
    topics = guide.topics()
    if topic not in topics:
        section = re.compile(rf"(?im)^## .*\b{re.escape(topic)}\b")
        about = [each for each in topics if each.startswith(topic) or section.search(guide.text(each))]
        raise unknown("topic", topic, about or topics)
    text = guide.text(topic)
    if sys.stdout.isatty():
        from rich.console import Console
        from rich.markdown import Markdown

        console = Console()
        with console.capture() as rendered:
            console.print(Markdown(text))
        # If standard input is no terminal, click starts no pager, and would remove the colours of the text.
        click.echo_via_pager(rendered.get(), color=None if sys.stdin.isatty() else True)
    else:
        click.echo(text.rstrip())
