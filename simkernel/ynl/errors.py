"""What a specification's mistake looks like, and names that were probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class SpecError(ValueError):
    """A mistake in a specification: where it is, and what was expected there.

    `line` counts from 1 (0: not one line in particular).  `key` is the way to the place, for instance
    `attribute-sets[frame].attributes[width].checks.max`.
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
    """Return the end of a sentence about an unknown `given`: the nearest of `names`, or the first `limit`."""
    known = list(names)
    nearest = difflib.get_close_matches(str(given), known, n=3, cutoff=0.6)
    if nearest:
        return "did you mean " + " or ".join(nearest) + "?"
    if not known:
        return "none exists"
    shown = ", ".join(known[:limit])
    return f"expected one of {shown}" + (", ..." if len(known) > limit else "")
