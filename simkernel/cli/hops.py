"""The options --hops and --step of `simkernel run`. They print the path of one flow (a chain of causes and
effects) through the layers application, kernel, driver and hardware.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from textwrap import wrap
from typing import Final

import click

from simkernel.scenario import Run
from simkernel.trace.hops import Hop, Hops
from simkernel.trace.layers import APPLICATION, DRIVER, HARDWARE, KERNEL, LAYERS

COLOURS: Final = {APPLICATION: "yellow", KERNEL: "blue", DRIVER: "magenta", HARDWARE: "green"}
CLOCK: Final = 11
"""Width in characters of the column with the times in µs."""
LANE: Final = 3
"""Distance in characters between the columns of two adjacent layers."""
WIDTH: Final = 80
LISTED: Final = 8
"""Maximum number of flows that an error message lists."""
QUIT: Final = ("q", "\x03", "\x04")


def show_hops(run: Run, hops: Hops, flow: int | None, step: bool) -> None:
    """Print the path of a flow. The default is the flow that crosses the most layers. If `step` is True, wait
    for a key between two hops.

    Raises ClickException if no flow has that number.
    """
    path = hops.path(flow)
    if not path:
        raise click.ClickException(_unknown(hops.flows(), flow))
    click.echo()
    click.echo(f"One path through the layers of {run.scenario.name}; times since its first hop")
    if step:
        click.echo("Each key shows the next hop; q ends.")
    click.echo()
    for text in _names():
        click.echo(text)
    before: Hop | None = None
    for each in path:
        if step and before is not None and click.getchar() in QUIT:
            return
        for line in _lines(each, before, path[0].time):
            click.echo(line)
        before = each


def refuse_step() -> None:
    """Raise UsageError unless standard input and standard output are terminals, so that --step can wait for
    keys.
    """
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise click.UsageError(
            "--step needs a terminal, because it waits for a key before each hop: use --hops"
        )


def _names() -> Iterator[str]:
    """Return the lines of the heading, with the name of each layer above the layer's column."""
    for number, layer in enumerate(LAYERS):
        name = click.style(layer, fg=COLOURS[layer])
        rest = "".join(f"{'│':<{LANE}}" for _ in LAYERS[:number])
        yield f"{'µs' if number == len(LAYERS) - 1 else '':>{CLOCK}}  {rest}{name}"


def _lines(each: Hop, before: Hop | None, begin: int) -> Iterator[str]:
    """Return the output lines of a hop: its time, a dot in the column of its layer, and its text."""
    lane = LAYERS.index(each.layer)
    came = lane if before is None else LAYERS.index(before.layer)
    times = f" ({each.count} times)" if each.count > 1 else ""
    prefix = CLOCK + 2 + LANE * len(LAYERS)
    texts = wrap(f"{each.text}{times}", WIDTH - prefix)
    yield f"{(each.time - begin) / 1000:>{CLOCK}.3f}  {_picture(lane, came)}{texts[0]}"
    for text in texts[1:]:
        yield f"{'':>{CLOCK}}  {'':{LANE * len(LAYERS)}}{text}"


def _picture(lane: int, came: int) -> str:
    """Draw a hop as text, with one column for each layer. Put a dot into column number `lane`. Draw a line
    from the dot to column number `came`, the column of the previous hop.
    """
    low, high = sorted((lane, came))
    picture = ""
    for number, layer in enumerate(LAYERS):
        if number == lane:
            mark = click.style("●", fg=COLOURS[layer])
        elif number == came:
            mark = "╯" if came > lane else "╰"
        else:
            mark = "─" if low < number < high else "·"
        picture += mark + ("─" if low <= number < high else " ") * (LANE - 1)
    return picture


def _unknown(flows: Sequence[int], flow: int | None) -> str:
    if not flows:
        return "this run has no flow with hops: nothing asks the kernel or comes from a device"
    some = ", ".join(map(str, flows[:LISTED]))
    more = f" and {len(flows) - LISTED} more" if len(flows) > LISTED else ""
    return f"flow {flow} has no hops: choose one of {some}{more}"
