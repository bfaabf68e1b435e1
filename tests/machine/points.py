"""A stand-in for a machine's fault points. A hit is one execution of a fault point. The stand-in counts all
hits, and a test chooses the hits that fail.
"""

from __future__ import annotations

from collections import Counter
from typing import Any


class Points:
    """Fault points that fail only at the hits that a test has chosen with `fail`. `about` lists the fault
    point and the keyword arguments of each hit.
    """

    def __init__(self) -> None:
        self._fires: set[tuple[str, int]] = set()
        self.hits: Counter[str] = Counter()
        self.about: list[tuple[str, dict[str, Any]]] = []

    def hit(self, point: str, **about: object) -> bool:
        self.hits[point] += 1
        self.about.append((point, about))
        firing = (point, self.hits[point])
        if firing not in self._fires:
            return False
        self._fires.remove(firing)
        return True

    def fail(self, point: str, nth: int = 1) -> None:
        """Make the `nth` hit of `point` fail, counted from now."""
        self._fires.add((point, self.hits[point] + nth))

    def all_fired(self) -> bool:
        """Return True if every hit that must fail has occurred."""
        return not self._fires
