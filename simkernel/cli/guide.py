"""`simkernel guide`: the manual."""

from __future__ import annotations

import sys

import click

from simkernel import guide
from simkernel.cli.nearest import unknown


@click.command("guide", short_help="Read the manual.")
@click.argument("topic", default=guide.INDEX)
def command(topic: str) -> None:
    """Read the manual: a topic, or where to begin and what topics there are."""
    topics = guide.topics()
    if topic not in topics:
        raise unknown("topic", topic, topics)
    text = guide.text(topic)
    if topic == guide.INDEX:
        text = f"{text.rstrip()}\n\n{_contents(topics)}"
    if sys.stdout.isatty():
        from rich.console import Console
        from rich.markdown import Markdown

        Console().print(Markdown(text))
    else:
        click.echo(text.rstrip())


def _contents(topics: dict[str, str]) -> str:
    lines = [f"* `{name}`: {title}" for name, title in topics.items() if name != guide.INDEX]
    return "\n".join(lines)
