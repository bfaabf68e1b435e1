"""Summary statistics of many measurements."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def distribution(values: Iterable[int]) -> dict[str, int | None]:
    """Return the median (`p50`), the 99th percentile (`p99`) and the maximum (`max`).  Without values, each
    of them is None.

    Percentiles are by nearest rank, so each of them is one of the values.
    """
    ordered = sorted(values)
    return {"p50": _rank(ordered, 50), "p99": _rank(ordered, 99), "max": ordered[-1] if ordered else None}


def quantiles(values: Iterable[int]) -> dict[str, int | None]:
    """Return the median (`p50`), the 90th (`p90`) and the 99th percentile (`p99`), by nearest rank."""
    ordered = sorted(values)
    return {f"p{percent}": _rank(ordered, percent) for percent in (50, 90, 99)}


def _rank(ordered: Sequence[int], percent: int) -> int | None:
    return ordered[(percent * len(ordered) + 99) // 100 - 1] if ordered else None
