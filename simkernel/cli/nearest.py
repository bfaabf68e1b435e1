"""What is said of a name that is not known."""

from __future__ import annotations

from collections.abc import Iterable

import click


def unknown(what: str, name: str, known: Iterable[str], meant: str = "") -> click.UsageError:
    """An error, for exit code 2, with the names that are like `meant`, or else like `name`."""
    from simkernel.ynl.errors import choose

    return click.UsageError(f"there is no {what} {name!r}: {choose(meant or name, known)}")
