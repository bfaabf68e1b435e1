"""What the run has shown: why netlink was made, and when not to use it; in numbers of this run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from simkernel.scenario import Run

from .jobs.event import EventRow
from .jobs.exchange import Row
from .report import Cells
from .ways import WAYS

BEST: Final = 2
"""How many are named as the quickest."""

WANTED: Final = ("starts", "multicast", "bounds", "extensible")
"""What an interface to the kernel shall have that is to last: and netlink has all of it."""


def conclude(run: Run, cells: Cells, rows: Sequence[Row], events: Sequence[EventRow]) -> None:
    """Each sentence is there if the run has measured what it speaks of."""
    sentences = [
        *_abilities(run, cells),
        *_told(run, events),
        *_asked(run, rows),
        *_frames(run, rows),
        *_choice(run, rows),
    ]
    if sentences:
        run.text("\n".join(("What this run has shown:", *(f"- {sentence}" for sentence in sentences))))


def _abilities(run: Run, cells: Cells) -> Iterable[str]:
    if len(cells) < 2:
        return
    all_of_it = [name for name, cell in cells.items() if all(cell[each].startswith("yes") for each in WANTED)]
    run.metric("begins_reaches_many_keeps_bounds_and_grows", all_of_it)
    names = " and ".join(all_of_it) or "none"
    yield (
        f"Of {len(cells)} ways {names} can do all four: begin by itself, reach many at once, keep the bounds "
        "of messages, and grow new fields under old programs."
    )


def _told(run: Run, events: Sequence[EventRow]) -> Iterable[str]:
    told = {row.way: row for row in events}
    if not (netlink := told.get("netlink")):
        return
    if netlink.told_asleep < netlink.asleep:
        run.metric("netlink_told_asleep", netlink.told_asleep)
        yield (
            f"Use netlink to be told: who slept through {netlink.asleep} events still had "
            f"{netlink.told_asleep} of them, and learned of the rest by {netlink.losses}."
        )
    if (looking := told.get("ioctl")) and netlink.cpu:
        calls = looking.calls / netlink.calls
        run.metric("looking_over_telling_calls", round(calls, 2))
        later = (looking.p50 or 0) > (netlink.p50 or 0)
        result = "and is told later" if later else "to be told as soon"
        yield f"Who has to ask makes {calls:.0f} times the calls for an event, {result}."


def _asked(run: Run, rows: Sequence[Row]) -> Iterable[str]:
    asked = {row.way: row for row in reversed(rows) if row.job == "question" and row.p50}
    if "netlink" in asked and "ioctl" in asked and asked["netlink"].size == asked["ioctl"].size:
        times = (asked["netlink"].p50 or 0) / (asked["ioctl"].p50 or 1)
        run.metric("netlink_over_ioctl_question", round(times, 2))
        yield (
            f"Do not use it for what is asked all day: a question of {asked['netlink'].size} B takes "
            f"{times:.1f} times as long as by ioctl."
        )


def _frames(run: Run, rows: Sequence[Row]) -> Iterable[str]:
    moved = {row.way: row for row in rows if row.job == "frame" and row.p50}
    if "netlink" in moved and "mmap" in moved and moved["netlink"].size == moved["mmap"].size:
        netlink, mapped = moved["netlink"], moved["mmap"]
        times = (netlink.p50 or 0) / (mapped.p50 or 1)
        run.metric("netlink_over_mmap_frame", round(times, 2))
        yield (
            f"Do not use it for pixels: a frame of {netlink.size / 1e6:.2g} MB takes {netlink.calls:g} calls "
            f"and {netlink.copies:.1f} copies of each byte, {times:.0f} times as long as one that is mapped."
        )


def _choice(run: Run, rows: Sequence[Row]) -> Iterable[str]:
    """Which ways to the driver are the quickest, for the smallest question and the largest frame."""
    quickest = {}
    for job, pick in (("question", min), ("frame", max)):
        able = [row for row in rows if row.job == job and row.p50 and WAYS[row.way].other == "driver"]
        if len({row.way for row in able}) <= BEST:
            return
        size = pick(row.size for row in able)
        ordered = sorted((row.p50 or 0, row.way) for row in able if row.size == size)
        quickest[job] = [way for _, way in ordered[:BEST]]
    run.metric("quickest_to_the_driver", quickest)
    asked, moved = (" and ".join(ways) for ways in quickest.values())
    yield f"Of the ways to the driver {asked} are the quickest to ask, {moved} to move a frame."
