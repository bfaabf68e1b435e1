"""Plot of the results of the scenario `ipc`: capabilities and latencies of the compared transports."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH: Final = 14.0
LINE, EDGE, PANEL = 0.3, 1.2, 5.0
"""Heights of a table line, of the table's edges and of a panel, in inches."""
NARROW: Final = 0.75
"""Width of the panel with the event latencies, relative to the other panels. This panel is narrower, so that
the texts beside it have space.
"""
GOOD, BAD, PLAIN = "#cfe8d5", "#f3cfc6", "#f2efe6"
FIRST: Final = ("transport", "other")
SMALL: Final = 7
MICROS: Final = 1000
"""Nanoseconds in a microsecond, the unit of the axes."""
HEADINGS: Final = {
    "starts": "peer may start",
    "polling": "needs polling",
    "flow": "flow, if unread",
    "extensible": "extensible",
    "between": "between programs",
    "copies": "copies per byte",
}
BETTER_IF_NO: Final = ("polling",)
"""Names of the capability probes for which the result "no" is better than "yes"."""
TITLES: Final = {"questions": "Latency of a request and its reply", "frames": "Latency of a frame"}

Figures = list[dict[str, Any]]


def draw(told: dict[str, Any]) -> Figure:
    """Draw the output of `simkernel run ipc --json`. Raise ImportError if matplotlib is missing."""
    from matplotlib.figure import Figure

    metrics, given = told["metrics"], told["parameters"]
    cells: Figures = metrics.get("probes", [])
    panels = [(name, metrics[name]) for name in ("questions", "events", "frames") if name in metrics]
    moving = [*metrics.get("questions", []), *metrics.get("frames", [])]
    transports = list(dict.fromkeys(row["transport"] for row in moving if row["p50"] is not None))
    heights = [EDGE + LINE * (len(cells) + 1)] * bool(cells) + [PANEL] * bool(panels)
    figure = Figure(figsize=(WIDTH, sum(heights)), layout="constrained")
    widths = [NARROW if name == "events" else 1.0 for name, _ in panels] or None
    grid = figure.add_gridspec(len(heights), max(1, len(panels)), height_ratios=heights, width_ratios=widths)
    if cells:
        _probes(figure.add_subplot(grid[0, :]), cells)
    lines: dict[str, Any] = {}
    for column, (name, rows) in enumerate(panels):
        axes = figure.add_subplot(grid[-1, column])
        if name == "events":
            _events(axes, rows, given)
        else:
            _by_size(axes, rows, transports)
            axes.set_title(TITLES[name], fontsize=9)
        axes.grid(alpha=0.3, axis="x" if name == "events" else "both")
        lines.update(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
    if lines:
        figure.legend(lines.values(), lines, loc="outside lower center", ncols=len(lines), fontsize=SMALL)
    host = told["host"]
    figure.suptitle(
        f"simkernel {host['simkernel']}, run ipc, seed {told['seed']}: {given['cpus']} processors, "
        f"{given['load']:.0%} used by other programs",
        fontsize=9,
    )
    return figure


def _probes(axes: Axes, cells: Figures) -> None:
    """Draw the table of capability probes. Good results are green, bad ones red."""
    from matplotlib.transforms import Bbox

    names = [name for name in cells[0] if name not in FIRST]
    table = axes.table(
        cellText=[[row[name] for name in names] for row in cells],
        cellColours=[[_colour(name, row[name]) for name in names] for row in cells],
        rowLabels=[f"{row['transport']}  " for row in cells],
        colLabels=[HEADINGS.get(name, name) for name in names],
        cellLoc="center",
        bbox=Bbox.from_bounds(0.06, 0, 0.94, 1),
    )
    table.auto_set_font_size(False)
    table.set_fontsize(SMALL)
    axes.set_title("Capability probes", fontsize=9)
    axes.axis("off")


def _colour(probe: str, cell: str) -> str:
    verdict = cell.partition(":")[0]
    if verdict not in ("yes", "no"):
        return PLAIN
    return GOOD if (verdict == "yes") != (probe in BETTER_IF_NO) else BAD


def _by_size(axes: Axes, rows: Figures, transports: list[str]) -> None:
    """Draw the median latency by message size, with a line for each transport. A shaded area reaches from the
    line to the 99th percentile.
    """
    for number, name in enumerate(transports):
        mine = [row for row in rows if row["transport"] == name and row["p50"] is not None]
        if mine:
            sizes, middle, high = zip(
                *((row["size"], row["p50"] / MICROS, row["p99"] / MICROS) for row in mine), strict=True
            )
            colour, marker = f"C{number % COLOURS}", MARKERS[number % len(MARKERS)]
            axes.plot(sizes, middle, marker=marker, markersize=4, color=colour, label=name)
            axes.fill_between(sizes, middle, high, color=colour, alpha=0.06, linewidth=0)
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_xlabel("message size [bytes]")
    axes.set_ylabel("latency [µs]: median (line) to 99th percentile (shaded)")


MARKERS: Final = "osD^vP*X<>hpd"
COLOURS: Final = 10
"""Number of colours in matplotlib's default cycle. Markers distinguish lines with equal colours."""


def _events(axes: Axes, rows: Figures, given: dict[str, Any]) -> None:
    """Draw the event latencies: a bar from the median to the 99th percentile, for one listener and for
    several.
    """
    for place, row in enumerate(reversed(rows)):
        _bar(axes, place + 0.2, row["p50"], row["p99"], ONE)
        _bar(axes, place - 0.2, row["many_p50"], row["many_p99"], SEVERAL)
        kept = f"{row['told_asleep']} of {given['asleep']} {row['losses'].strip('-')}"
        axes.text(1.01, place, kept, transform=axes.get_yaxis_transform(), va="center", fontsize=SMALL)
    axes.set_yticks(range(len(rows)), [row["transport"] for row in reversed(rows)], fontsize=SMALL + 1)
    axes.set_xscale("log")
    axes.set_xlabel("latency [µs]: median (mark) to 99th percentile (end of the bar)")
    axes.set_title(
        f"Event latency: 1 listener (blue), {given['listeners']} (orange); right: a sleeping listener",
        fontsize=9,
    )


ONE, SEVERAL = "#1f77b4", "#ff7f0e"


def _bar(axes: Axes, place: float, p50: int | None, p99: int | None, colour: str) -> None:
    if p50 is not None and p99 is not None:
        axes.plot([p50 / MICROS, p99 / MICROS], [place, place], color=colour, linewidth=5, alpha=0.5)
        axes.plot(p50 / MICROS, place, marker="|", color=colour, markersize=9, markeredgewidth=2)
