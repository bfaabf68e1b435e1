"""The report of the scenario ipc: a summary of the results, and the tables behind the summary."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from simkernel.scenario import Run

from .driver import DRIVER
from .events import FLOOD
from .measure import Row
from .probes import PROBES
from .program import PROGRAM

TRANSPORTS: Final = {transport.name: transport for transport in (*DRIVER, *PROGRAM)}
"""The transports by name. The tables of the report list them in this order."""
KIB: Final = 1024
FASTEST: Final = 2
"""Number of transports that the summary names as the fastest."""
LINE: Final = 72
"""Maximum length of a command line in the report."""
NEEDED: Final = ("starts", "multicast", "bounds", "extensible")
"""Probes that a long-lived interface to the kernel must pass. netlink passes all of them."""
TITLES: Final = {"question": "A question is answered", "frame": "A frame is moved"}

ALL: Final = "all"


def chosen(value: str, choices: Iterable[str]) -> list[str]:
    """Return the elements of `choices` that `value` names, in the order of `choices`. `value` is the text of
    a parameter, such as "ioctl,mmap" or "all".
    """
    names = value.split(",")
    return [each for each in choices if each in names or ALL in names]


Cells = Mapping[str, Mapping[str, str]]
"""The outcomes of the probes, by transport and probe."""


def short(value: float) -> str:
    """Format a number in about four characters: with one decimal below 10, otherwise as an integer."""
    for unit in ("", "k", "M"):
        if abs(value) < 999.5 or unit == "M":
            break
        value /= 1000
    return f"{value:.1f}{unit}" if abs(value) < 9.95 and value != round(value) else f"{value:.0f}{unit}"


def micros(*times: int | None) -> str:
    """Format times in ns as microseconds, separated by slashes."""
    return "/".join(
        "-" if ns is None else f"{ns / 1000:.2f}"[1:] if ns < 995 else f"{ns / 1000:.{int(ns < 9950)}f}"
        for ns in times
    )


EXCHANGES: Final[Mapping[str, Callable[[Row], str]]] = {
    "p50/p99 [µs]": lambda row: micros(row["p50"], row["p99"]),
    "in a second": lambda row: short(row["rate"]),
    "CPU for one [ns]": lambda row: short(row["cpu"]),
    "calls/copies per byte": lambda row: f"{row['calls']:g}/{row['copies']:.2g}",
}
"""The columns of the tables of questions and of frames: title with unit, and the function that formats a
cell.
"""


def report_details(
    run: Run,
    cells: Cells,
    rows: Mapping[str, Sequence[Row]],
    columns: Mapping[str, Mapping[int, str]],
    detail: bool,
) -> None:
    """Print all tables, and the limit of each transport.

    `columns` has the sizes of questions and frames, with their labels.
    """
    for table, columns_of in PROBES.items() if cells else ():
        found = [
            (name, *(cell[each.__name__] for each in columns_of.values())) for name, cell in cells.items()
        ]
        run.table(table, ("transport", *columns_of), found, detail=detail)
    for job, each in rows.items():
        if job == "event":
            report_events(run, each, detail)
        else:
            report_exchanges(run, job, each, columns[job], detail)
    report_limits(run, detail)


def report_exchanges(
    run: Run, job: str, rows: Sequence[Row], columns: Mapping[int, str], detail: bool
) -> None:
    """Print four tables for a job, "question" or "frame", with a column for each size. Then name the
    transports that cannot do the job.
    """
    names = list(dict.fromkeys(row["transport"] for row in rows))
    able = [name for name in names if not TRANSPORTS[name].lacks(job)]
    for unit, cell in EXCHANGES.items() if able else ():
        run.table(
            f"{TITLES[job]}: {unit}",
            ("transport", *columns.values()),
            [(name, *(row["why"] or cell(row) for row in rows if row["transport"] == name)) for name in able],
            detail=detail,
        )
    missing = [f"{name} ({TRANSPORTS[name].lacks(job)})" for name in names if name not in able]
    if missing:
        run.text(f"Not by {', '.join(missing)}.", detail=detail)


def report_events(run: Run, rows: Sequence[Row], detail: bool) -> None:
    """Print three tables of events: latency, losses and costs."""
    several = f"{run['listeners']} listeners"

    def table(title: str, columns: Sequence[str], cells: Callable[[Row], Iterable[Any]]) -> None:
        found = [(row["transport"], *cells(row)) for row in rows]
        run.table(f"An event arrives: {title}", ("transport", *columns), found, detail=detail)

    table("p50/p99 [µs]", ("1 listener", several, "p99 of the last"), lambda row: (
        micros(row["p50"], row["p99"]), micros(row["many_p50"], row["many_p99"]), micros(row["last_p99"])
    ))  # fmt: skip
    columns = ("sent in its sleep", "arrive", "loss shows by", f"of {FLOOD} at once", "in a second")
    table("events are sent while the listener sleeps, or as fast as possible", columns, lambda row: (
        row["asleep"], row["told_asleep"], row["losses"], row["told_flood"], short(row["rate"])
    ))  # fmt: skip
    table("costs", ("CPU [ns]", "calls", "bytes copied", f"calls, {several}"), lambda row: (
        short(row["cpu"]), *(f"{row[name]:g}" for name in ("calls", "copied", "many_calls"))
    ))  # fmt: skip


def report_limits(run: Run, detail: bool) -> None:
    """Print a paragraph about each transport, with the command that shows the limit of the transport."""
    sections = Path(__file__).with_name("limits.md").read_text("utf-8").split("## ")[1:]
    for name, about, arguments, text in (section.split("\n", 3) for section in sections):
        command = f"simkernel run ipc {arguments}"
        if len(command) > LINE:
            head, option, tail = command[:LINE].rpartition(" --set ")
            command = f"{head} \\\n      {option.strip()} {tail}{command[LINE:]}"
        if name in chosen(run["transports"], TRANSPORTS):
            run.text(f"{name} ({about}): {' '.join(text.split())}\n  {command}", detail=detail)


def report_summary(run: Run, cells: Cells, rows: Mapping[str, Sequence[Row]]) -> bool:
    """Print the conclusions that the run supports.  Return False if it supports none."""
    names = chosen(run["transports"], TRANSPORTS)
    run.text(
        f"{len(names)} transport{'s' * (len(names) > 1)}, {run['cpus']} processor{'s' * (run['cpus'] > 1)}. "
        "The driver, or a program in its place, inverts the bits of a question, sends events, and produces "
        "frames. Costs are counted on an idle machine; times are measured while other programs use "
        f"{run['load']:.0%} of the processors."
    )
    if cells:
        probes = [{"transport": name, "other": TRANSPORTS[name].peer, **cell} for name, cell in cells.items()]
        run.metric("probes", probes, shown=False)
    for job, each in rows.items():
        run.metric(f"{job}s", each, shown=False)
    measured = [row for job in ("question", "frame") for row in rows.get(job, ()) if row["p50"]]
    found = [
        *_capabilities(run, cells), *_events(run, rows.get("event", ())), *_questions(run, measured),
        *_frames(run, measured), *_fastest(run, measured),
    ]  # fmt: skip
    if found:
        run.text("\n".join(("What this run has shown:", *(f"- {sentence}" for sentence in found))))
    if {"netlink", "event"} <= {*names, *rows} and not run["rcvbuf"]:
        run.text("With --set rcvbuf=4608 netlink loses more events.")
    return bool(found)


def _capabilities(run: Run, cells: Cells) -> Iterable[str]:
    if len(cells) > 1:
        able = [name for name, cell in cells.items() if all(cell[each].startswith("yes") for each in NEEDED)]
        run.metric("begins_reaches_many_keeps_bounds_and_grows", able)
        yield (
            f"Of {len(cells)} transports {' and '.join(able) or 'none'} can do all four: send without a "
            "request, reach many listeners at once, keep message boundaries, and add fields that old "
            "programs skip."
        )


def _events(run: Run, events: Sequence[Row]) -> Iterable[str]:
    rows = {row["transport"]: row for row in events}
    netlink, ioctl = rows.get("netlink"), rows.get("ioctl")
    if netlink and netlink["told_asleep"] < netlink["asleep"]:
        run.metric("netlink_told_asleep", netlink["told_asleep"])
        yield (
            f"Use netlink for events: a listener that slept during {netlink['asleep']} events receives "
            f"{netlink['told_asleep']} of them, and {netlink['losses']} reports the loss of the others."
        )
    if netlink and ioctl:
        calls = ioctl["calls"] / netlink["calls"]
        run.metric("looking_over_telling_calls", round(calls, 2))
        result = "later" if ioctl["p50"] > netlink["p50"] else "just as soon"
        yield f"A program that polls makes {calls:.1f} times as many calls per event and has it {result}."


def _compared(run: Run, rows: Iterable[Row], job: str, other: str) -> Iterable[tuple[Row, float]]:
    """Yield netlink's row for a job, and a ratio: netlink's median time divided by the median time of the
    transport `other`. If a transport has several rows for the job, use its last row. Yield nothing if a row
    is missing, or if the sizes of the two rows differ.
    """
    found = {row["transport"]: row for row in rows if row["job"] == job}
    if {"netlink", other} <= found.keys() and found["netlink"]["size"] == found[other]["size"]:
        times = found["netlink"]["p50"] / found[other]["p50"]
        run.metric(f"netlink_over_{other}_{job}", round(times, 2))
        yield found["netlink"], times


def _questions(run: Run, rows: Sequence[Row]) -> Iterable[str]:
    for row, times in _compared(run, reversed(rows), "question", "ioctl"):
        yield (
            f"Do not use it for frequent questions: one of {row['size']} B takes {times:.1f} times as long "
            "as by ioctl."
        )


def _frames(run: Run, rows: Sequence[Row]) -> Iterable[str]:
    for row, times in _compared(run, rows, "frame", "mmap"):
        yield (
            f"Do not use it for pixels: a frame of {row['size'] / 1e6:.2g} MB takes {row['calls']:g} calls "
            f"and {row['copies']:.1f} copies of each byte, {times:.0f} times as long as a mapped one."
        )


def _fastest(run: Run, rows: Sequence[Row]) -> Iterable[str]:
    """Yield a sentence that names the fastest transports to the driver: for the smallest question and for the
    largest frame.
    """
    fastest = {}
    for job, pick in (("question", min), ("frame", max)):
        able = [row for row in rows if row["job"] == job and TRANSPORTS[row["transport"]].peer == "driver"]
        if len({row["transport"] for row in able}) <= FASTEST:
            return
        size = pick(row["size"] for row in able)
        ordered = sorted((row["p50"], row["transport"]) for row in able if row["size"] == size)
        fastest[job] = [name for _, name in ordered[:FASTEST]]
    run.metric("quickest_to_the_driver", fastest)
    asked, moved = (" and ".join(names) for names in fastest.values())
    yield f"Of the transports to the driver {asked} answer questions fastest, {moved} move frames fastest."
