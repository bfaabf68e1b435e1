"""Tables about transports (such as netlink and ioctl) for the guide, from a run of the scenario `ipc`. They
do not depend on simulated costs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any, Final

from simkernel.cli import stories
from simkernel.scenario import Run, Table, Text

Draw = Callable[[tuple[str, ...], Iterable[tuple[str, ...]]], str]

KIB: Final = 1024
HOW_MANY: Final = re.compile(r"(?<=lost) \d+|: \d+ calls|: 3 of 3|(?<=up): \d+")
"""Counts that the guide's tables omit, such as 744 in `lost 744` and `: 3 of 3` in `yes: 3 of 3`."""
ASKED: Final = 64 * KIB
"""Size in bytes of each question (a request to the driver) in the comparison of transports."""
TO_DRIVER: Final = ("netlink", "ioctl", "read", "mmap", "sysfs")


@cache
def _run() -> Run:
    """Run the scenario `ipc` with few messages. The tables do not depend on the number of messages."""
    parameters = {"messages": 10, "size": ASKED, "frame": "640x480"}
    return stories.load(stories.find("ipc")).run(parameters=parameters)


def probes(table: Draw) -> str:
    """Return the results of the capability probes."""
    parts = [part for part in _run().parts if isinstance(part, Table)][:3]
    columns = ("transport", *(column for part in parts for column in part.columns[1:]))
    rows = zip(*(part.rows for part in parts), strict=True)
    return table(
        columns,
        [
            (f"`{row[0][0]}`", *(HOW_MANY.sub("", str(cell)) for each in row for cell in each[1:]))
            for row in rows
        ],
    )


def calls_and_copies(table: Draw) -> str:
    """Return a table of the costs of each transport: system calls, and copies of each byte, for a request, an
    event and a frame.

    The number of calls of programs that pass on streams depends on their speed, and is left out.
    """
    metrics = _run().metrics
    jobs = [{row["transport"]: row for row in metrics[job]} for job in ("questions", "events", "frames")]
    rows = []
    for transport, event in jobs[1].items():
        many = "many" if event["calls"] > 4 else f"{event['calls']:g}; {event['many_calls']:g}"
        rows.append((f"`{transport}`", _cell(jobs[0][transport]), many, _cell(jobs[2][transport])))
    return table(
        ("transport", "question of 64 KiB", "calls for an event: 1 listener; 10", "frame of 640x480"), rows
    )


def _cell(row: dict[str, Any]) -> str:
    if row["why"]:
        return str(row["why"])
    copies = _count(round(row["copies"], 1), "copy", "copies")
    return f"{_count(row['calls'], 'call', 'calls')}, {copies}" if row["transport"] in TO_DRIVER else copies


def _count(number: float, one: str, many: str) -> str:
    return f"{number:g} {one if number == 1 else many}"


def limits(table: Draw) -> str:
    """Return a table with one `simkernel run` command for each transport. The command shows the transport's
    limit.
    """
    rows = []
    for part in _run().parts:
        if isinstance(part, Text) and "\n  simkernel run ipc" in part.text:
            transport, _, rest = part.text.partition(" (")
            command = " ".join(rest.partition("\n  ")[2].replace("\\\n", " ").split())
            rows.append((f"`{transport}`", f"`{command}`"))
    return table(("where it ends", "the run that shows it"), rows)
