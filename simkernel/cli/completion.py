"""Words that a shell offers while a command line is typed (click's `shell_complete`)."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import click
from click.shell_completion import CompletionItem

Completion = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def offer(names: Callable[[click.Context], Iterable[str]]) -> Completion:
    """Offer the names that begin as the word does, or files if none does."""

    def complete(ctx: click.Context, parameter: click.Parameter, word: str) -> list[CompletionItem]:
        found = [CompletionItem(name) for name in names(ctx) if name.startswith(word)]
        return found or [CompletionItem(word, type="file")]

    return complete
