"""The error for a mistake in a specification, and suggestions for misspelled names."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class SpecError(ValueError):
    """A mistake in a specification: its position, and what was expected there.

    `line` counts from 1; 0 means that the mistake is not in one line.  `key` is the path of the value, for
    instance `attribute-sets[frame].attributes[width].checks.max`.
    """

    def __init__(self, filename: str, line: int, key: str, expected: str) -> None:
        super().__init__(filename, line, key, expected)
        self.filename = filename
        self.line = line
        self.key = key
        self.expected = expected

    def __str__(self) -> str:
        place = f"{self.filename}:{self.line}" if self.line else self.filename
        return ": ".join(part for part in (place, self.key, self.expected) if part)


def choose(given: object, names: Iterable[str], limit: int = 12) -> str:
    """Return a hint for the unknown name `given`: the most similar `names` or, if no name is similar, the
    first `limit` names.
    """
    known = list(names)
    nearest = difflib.get_close_matches(str(given), known, n=3, cutoff=0.6)
    if nearest:
        return "did you mean " + " or ".join(nearest) + "?"
    if not known:
        return "none exists"
    shown = ", ".join(known[:limit])
    return f"expected one of {shown}" + (", ..." if len(known) > limit else "")
