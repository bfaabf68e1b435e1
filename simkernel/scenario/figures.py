"""Figures about many measurements at once."""

from __future__ import annotations

from collections.abc import Iterable


def distribution(values: Iterable[int]) -> dict[str, int | None]:
    """The median (`p50`), the 99th percentile (`p99`) and the greatest (`max`); None of no values.

    Percentiles are by nearest rank, so each is one of the values.
    """
    ordered = sorted(values)
    if not ordered:
        return {"p50": None, "p99": None, "max": None}
    count = len(ordered)
    return {
        "p50": ordered[(50 * count + 99) // 100 - 1],
        "p99": ordered[(99 * count + 99) // 100 - 1],
        "max": ordered[-1],
    }
