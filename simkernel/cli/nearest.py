"""Errors for unknown names, with suggestions."""

from __future__ import annotations

from collections.abc import Iterable

import click


def unknown(what: str, name: str, known: Iterable[str], meant: str = "") -> click.UsageError:
    """Return a UsageError that suggests known names similar to `meant`, or else to `name`."""
    from simkernel.ynl.errors import choose

    names = list(known)
    hint = f": {choose(meant or name, names)}" if names else ""
    return click.UsageError(f"there is no {what} {name!r}{hint}")
