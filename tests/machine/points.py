"""Fault points for tests: fire at given hits, and count all."""

from __future__ import annotations

from collections import Counter
from typing import Any


class Points:
    """Fault points that fire at the n-th hit (from 1) of a point, or never.

    `about` has the keywords of each hit.
    """

    def __init__(self, **fires: int | tuple[int, ...]) -> None:
        self._fires = {name.replace("_", "."): n for name, n in fires.items()}
        self.hits: Counter[str] = Counter()
        self.about: list[tuple[str, dict[str, Any]]] = []

    def hit(self, point: str, **about: object) -> bool:
        self.hits[point] += 1
        self.about.append((point, about))
        wanted = self._fires.get(point, ())
        return self.hits[point] in (wanted if isinstance(wanted, tuple) else (wanted,))
