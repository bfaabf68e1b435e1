"""Plot of the output of `simkernel bench`: the ratio of each quantity to its reference, with the limit and
the aim of this ratio, and curves of round-trip times.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from simkernel.tools.bench import TABLE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = {"aim": "#2a9d8f", "holds": "#8ab17d", "misses": "#e76f51"}
MEANINGS = {"aim": "reaches the aim", "holds": "within the limit", "misses": "misses the limit"}
PAPER = {"facecolor": "white", "edgecolor": "none", "pad": 0.5}
"""Background of the printed numbers. It hides the lines behind them."""
GAP = 1.02
"""Position of the number that is printed beside a bar, divided by the length of the bar."""
HEIGHT, BAR_HEIGHT, WIDTH = 1.0, 0.28, 11.0
"""Height of the plot without its bars, height of each bar, and width of the plot, in inches."""
CURVES_HEIGHT = 3.0
WHAT = {quantity.name: quantity.what for quantity in TABLE}
LEAST = 0.05
"""Value at the left end of the logarithmic axis. A smaller ratio is drawn as this value."""
SPACE = 1.3
"""Value at the right end of the axis, divided by the length of the longest bar, or by 1 if all bars are
shorter than 1.
"""


def draw(benchmark: dict[str, Any]) -> Figure:
    """Draw the output of `simkernel bench --json`. Raise ImportError if matplotlib is missing."""
    from matplotlib.figure import Figure

    rows = [row for row in benchmark["rows"] if row["ratio"] is not None]
    curves = benchmark["growth"]
    heights = [HEIGHT + BAR_HEIGHT * len(rows), *([CURVES_HEIGHT] if curves else [])]
    figure = Figure(figsize=(WIDTH, sum(heights)), layout="constrained")
    grid = figure.add_gridspec(len(heights), max(1, len(curves)), height_ratios=heights)
    _ratios(figure.add_subplot(grid[0, :]), rows)
    for column, curve in enumerate(curves):
        _curve(figure.add_subplot(grid[1, column]), curve)
    host = benchmark["host"]
    figure.suptitle(f"simkernel {host['simkernel']}, Python {host['python']}, {host['system']}", fontsize=9)
    return figure


def _ratios(axes: Axes, rows: list[dict[str, Any]]) -> None:
    """Draw each ratio relative to its limit. A ratio is within its limit if its bar ends left of 1."""
    widest = 1.0
    for place, row in enumerate(reversed(rows)):
        part, aim = (_part(row, row[name]) for name in ("ratio", "aim"))
        widest = max(widest, part)
        verdict = "aim" if part <= aim else "holds" if part <= 1 else "misses"
        axes.barh(place, max(part, LEAST), color=COLOURS[verdict])
        axes.plot([aim, aim], [place - 0.4, place + 0.4], color="black")
        axes.text(max(part, LEAST) * GAP, place, f"{row['ratio']:.4g}", va="center", fontsize=7, bbox=PAPER)
    for verdict, meaning in MEANINGS.items():
        axes.barh(0, 0, color=COLOURS[verdict], label=meaning)
    axes.legend(loc="lower right", fontsize=8)
    axes.margins(y=0.01)
    axes.axvline(1, color="black", linestyle="--", linewidth=0.8)
    axes.set_xscale("log")
    axes.set_xlim(LEAST, widest * SPACE)
    axes.xaxis.set_major_formatter("{x:g}")
    labels = [f"{WHAT.get(row['name'], row['name'])}  {row['row']}" for row in reversed(rows)]
    axes.set_yticks(range(len(rows)), labels, fontsize=8)
    axes.set_xlabel("measured ratio / limit (dashed line: the limit; short black line: the aim)")


def _part(row: dict[str, Any], ratio: float) -> float:
    bound: float = row["must_hold"]
    return ratio / bound if row["better"] == "lower" else bound / ratio


def _curve(axes: Axes, curve: dict[str, Any]) -> None:
    counts, values = zip(*curve["points"], strict=True)
    axes.plot(counts, values, marker="o", color=COLOURS["aim"])
    axes.set_xscale("log")
    axes.set_ylim(0, 1.1 * max(values))
    axes.set_xlabel(curve["counts"])
    axes.set_ylabel("round trip over T2")
