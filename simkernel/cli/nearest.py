"""Errors for unknown names, with suggestions."""

from __future__ import annotations

from collections.abc import Iterable

import click


def unknown(what: str, name: str, known: Iterable[str], meant: str = "") -> click.UsageError:
    """Return a UsageError for the unknown name `name`. The error suggests similar names from `known`. If
    `meant` is not empty, the suggestions are similar to `meant`, not to `name`.
    """
    from simkernel.ynl.errors import choose

    names = list(known)
    hint = f": {choose(meant or name, names)}" if names else ""
    return click.UsageError(f"there is no {what} {name!r}{hint}")
