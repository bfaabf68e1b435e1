"""Completion of a command line in a shell (click's `shell_complete`)."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import click
from click.shell_completion import CompletionItem

Completion = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def offer(names: Callable[[click.Context], Iterable[str]]) -> Completion:
    """Return a completion that offers the names with the typed prefix, or file names if none matches."""

    def complete(ctx: click.Context, parameter: click.Parameter, word: str) -> list[CompletionItem]:
        found = [CompletionItem(name) for name in names(ctx) if name.startswith(word)]
        return found or [CompletionItem(word, type="file")]

    return complete
