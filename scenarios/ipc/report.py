"""How the outcome is told: tables that fit 80 columns, and figures for machines."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

import attrs

from simkernel.scenario import Run

from .abilities import ABILITIES
from .jobs.event import FLOOD, EventRow
from .jobs.exchange import Row
from .ways import WAYS

KIB: Final = 1024

Cells = Mapping[str, Mapping[str, str]]
"""What each way can do, by way and ability."""


def short(value: float) -> str:
    """A number in four characters or little more: two digits that count below 10, whole numbers above."""
    for unit in ("", "k", "M"):
        if abs(value) < 999.5 or unit == "M":
            return (
                f"{value:.1f}{unit}" if abs(value) < 9.95 and value != round(value) else f"{value:.0f}{unit}"
            )
        value /= 1000
    raise AssertionError


def micros(ns: int | None) -> str:
    """Nanoseconds as microseconds."""
    if ns is None:
        return "-"
    if ns < 995:
        return f"{ns / 1000:.2f}".removeprefix("0")
    return f"{ns / 1000:.1f}" if ns < 9950 else f"{ns / 1000:.0f}"


def both(p50: int | None, p99: int | None) -> str:
    """A median and a 99th percentile."""
    return f"{micros(p50)}/{micros(p99)}"


def size_name(job: str, size: int, frames: Mapping[int, str]) -> str:
    """What a column is called."""
    if job == "frame":
        return frames[size]
    return f"{size} B" if size < KIB or size % KIB else f"{size // KIB} KiB"


# -- what they can do -----------------------------------------------------------------


def tell_abilities(run: Run, cells: Cells) -> None:
    """Three tables, of three abilities each."""
    for group in dict.fromkeys(ability.group for ability in ABILITIES):
        shown = [ability for ability in ABILITIES if ability.group == group]
        run.table(
            group,
            ("way", *(ability.title for ability in shown)),
            [(name, *(cell[ability.name] for ability in shown)) for name, cell in cells.items()],
        )
    run.metric(
        "abilities",
        [{"way": name, "other": WAYS[name].other, **cell} for name, cell in cells.items()],
        shown=False,
    )


# -- figures ---------------------------------------------------------------------------

EXCHANGES: Final[Sequence[tuple[str, Callable[[Row], str]]]] = (
    ("p50/p99 [µs]", lambda row: both(row.p50, row.p99)),
    ("in a second", lambda row: short(row.rate or 0)),
    ("CPU for one [ns]", lambda row: short(row.cpu or 0)),
    ("calls/copies per byte", lambda row: f"{row.calls:g}/{row.copies:.2g}"),
)
"""The tables of questions and frames: what a cell shows, and how."""
TITLES: Final = {"question": "A question is answered", "frame": "A frame is moved"}


def tell_exchanges(run: Run, job: str, rows: Sequence[Row], frames: Mapping[int, str]) -> None:
    """Four tables with a column for each size, and who is not in them."""
    sizes = list(dict.fromkeys(row.size for row in rows))
    by_way: dict[str, dict[int, Row]] = {}
    for row in rows:
        by_way.setdefault(row.way, {})[row.size] = row
    able = {name: row for name, row in by_way.items() if job not in WAYS[name].lacks}
    for what, cell in EXCHANGES if able else ():
        run.table(
            f"{TITLES[job]}: {what}",
            ("way", *(size_name(job, size, frames) for size in sizes)),
            [(name, *(each[size].why or cell(each[size]) for size in sizes)) for name, each in able.items()],
        )
    missing = [f"{name} ({WAYS[name].lacks[job]})" for name in by_way if name not in able]
    if missing:
        run.text(f"Not by {', '.join(missing)}.")
    run.metric(f"{job}s", [attrs.asdict(row) for row in rows], shown=False)


def tell_events(run: Run, rows: Sequence[EventRow], listeners: int) -> None:
    """Three tables: when one is told, what becomes of what one sleeps through, what it costs."""
    run.table(
        "An event is told: till one knows, p50/p99 [µs]",
        ("way", "1 listener", f"{listeners} listeners", "p99 of the last"),
        [
            (row.way, both(row.p50, row.p99), both(row.many_p50, row.many_p99), micros(row.last_p99))
            for row in rows
        ],
    )
    run.table(
        "An event is told: to one who slept, and as often as can be",
        ("way", "began in his sleep", "told of", "knows by", f"of {FLOOD} at once", "in a second"),
        [(row.way, row.asleep, row.told_asleep, row.losses, row.told_flood, short(row.rate)) for row in rows],
    )
    run.table(
        "An event is told: what it costs",
        ("way", "CPU [ns]", "calls", "bytes copied", f"calls, {listeners} listeners"),
        [
            (row.way, short(row.cpu), f"{row.calls:g}", f"{row.copied:g}", f"{row.many_calls:g}")
            for row in rows
        ],
    )
    run.metric("events", [attrs.asdict(row) for row in rows], shown=False)


# -- where they end ----------------------------------------------------------------------


def tell_limits(run: Run, names: Iterable[str]) -> None:
    """A paragraph for each, and the run that shows it."""
    for name in names:
        way = WAYS[name]
        run.text(f"{name} ({way.about}): {way.limit.text}\n  {way.limit.command}")
