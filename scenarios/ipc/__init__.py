"""Every way for programs and drivers to talk, side by side: why netlink was made, and when not to use it.

Covers: netlink, ioctl, read and write, mmap, sysfs, eventfd, SIGIO; pipes, unix sockets, shared memory,
    signals, NETLINK_USERSOCK: what each can do, what it costs, how long it takes, where it ends.
Scenario: The same three jobs are done over every way that can do them: a question is answered, an event is
    told, a frame is moved; to and from the driver `ipc_demo` or another program. What a way can do is tried.
When useful: to choose a way, and to know why; each limit has a run of its own that shows it. A rough but
    quick run: --set messages=20 --set abilities=no.
"""

from __future__ import annotations

from typing import Any, Final

from simkernel import SimulationError, micros
from simkernel.scenario import Parameter, Run, scenario

from .abilities import ABILITIES
from .conclusion import conclude
from .jobs import event, exchange
from .jobs.event import EventRow
from .jobs.exchange import Row
from .report import Cells, tell_abilities, tell_events, tell_exchanges, tell_limits
from .ways import WAYS
from .ways.way import LONGEST, Settings

ALL: Final = "all"
JOBS: Final = ("question", "event", "frame")
SIZES: Final = (16, 256, 1024, 4096, 16384, 65536)
FRAMES: Final = ("160x120", "320x240", "640x480", "1280x720", "1920x1080")
PIXEL: Final = 2
"""Bytes (YUYV)."""


def frame_bytes(frame: str) -> int:
    """Bytes of a frame."""
    width, height = map(int, frame.split("x"))
    return width * height * PIXEL


def counted(count: int, what: str) -> str:
    """So many of them."""
    return f"{count} {what}{'' if count == 1 else 's'}"


def chosen(value: str, choices: tuple[str, ...]) -> list[str]:
    """Those that were asked for, in the order in which they are shown."""
    return [each for each in choices if value == ALL or each in value.split(",") or ALL in value.split(",")]


@scenario(
    Parameter("ways", str, ALL, choices=(ALL, *WAYS), several=True, help="which ways"),
    Parameter("job", str, ALL, choices=(ALL, *JOBS), several=True, help="which jobs"),
    Parameter("abilities", bool, True, help="try what each way can do"),
    Parameter("size", int, 0, minimum=0, maximum=LONGEST, unit="bytes",
              help="of a question; 0: 16 B to 64 KiB"),
    Parameter("frame", str, ALL, choices=(ALL, *FRAMES), several=True, help="which frames"),
    Parameter("messages", int, 100, minimum=10, maximum=100_000,
              help="timed for each figure; of frames a tenth"),
    Parameter("listeners", int, 10, minimum=2, maximum=1000, help="where there are several"),
    Parameter("interval", float, 200.0, minimum=1, maximum=1e6, unit="µs", help="from event to event"),
    Parameter("asleep", int, 1000, minimum=1, maximum=100_000, help="events that a listener sleeps through"),
    Parameter("poll", float, 50.0, minimum=0, maximum=1e6, unit="µs", help="between two looks; 0: no pause"),
    Parameter("rcvbuf", int, 0, minimum=0, maximum=425_984, unit="bytes",
              help="receive buffer of netlink sockets; 0: as it is"),
    Parameter("cpus", int, 2, minimum=1, maximum=64, help="processors"),
    Parameter("load", float, 0.5, minimum=0, maximum=0.95, help="share of their time that others want"),
)  # fmt: skip
def ipc(run: Run) -> None:
    machine = run.machine(cpus=run["cpus"], udev=False, instrumented=True)
    machine.blocking().modprobe("ipc_demo")
    settings = Settings(run["rcvbuf"], micros(run["poll"]))
    names, jobs = chosen(run["ways"], tuple(WAYS)), chosen(run["job"], JOBS)
    frames = {frame_bytes(frame): frame for frame in chosen(run["frame"], FRAMES)}
    refuse_nothing_to_do(names, jobs)
    run.text(
        f"{counted(len(names), 'way')}, {counted(run['cpus'], 'processor')}. "
        "The driver, or a program in its place, answers a question by turning its bits over, begins events, "
        "and has frames. What one costs is counted on a machine that does nothing else; "
        f"how long one takes is timed while others want {run['load']:.0%} of the processors."
    )
    cells: Cells = {}
    if run["abilities"]:
        cells = {
            name: {each.name: each.demonstrate(machine, WAYS[name], settings) for each in ABILITIES}
            for name in names
        }
        tell_abilities(run, cells)
    rows: list[Row] = []
    events: list[EventRow] = []
    if "question" in jobs:
        sizes = (run["size"],) if run["size"] else SIZES
        rows += exchanges(run, machine, settings, names, "question", sizes, run["messages"], frames)
    if "event" in jobs:
        events = told(run, machine, settings, names)
        tell_events(run, events, run["listeners"])
    if "frame" in jobs:
        count = max(2, run["messages"] // 10)
        rows += exchanges(run, machine, settings, names, "frame", tuple(frames), count, frames)
    tell_limits(run, names)
    conclude(run, cells, rows, events)


def refuse_nothing_to_do(names: list[str], jobs: list[str]) -> None:
    """SimulationError if none of these ways can do any of these jobs."""
    if not any(job not in WAYS[name].lacks for name in names for job in jobs):
        able = {job: [name for name in WAYS if job not in WAYS[name].lacks] for job in jobs}
        told = "; ".join(f"{job}: {', '.join(ways)}" for job, ways in able.items())
        raise SimulationError(f"{', '.join(names)} cannot do that job: choose ways of these ({told})")


def exchanges(
    run: Run,
    machine: Any,
    settings: Settings,
    names: list[str],
    job: str,
    sizes: tuple[int, ...],
    count: int,
    frames: dict[int, str],
) -> list[Row]:
    """Measure questions or frames of all sizes over all ways, and tell of them."""
    rows = [
        exchange.measure(machine, WAYS[name], settings, job, size, count, run["cpus"], run["load"])
        for name in names
        for size in sizes
    ]
    tell_exchanges(run, job, rows, frames)
    return rows


def told(run: Run, machine: Any, settings: Settings, names: list[str]) -> list[EventRow]:
    """Measure events over all ways."""
    return [
        event.measure(
            machine,
            WAYS[name],
            settings,
            count=run["messages"],
            listeners=run["listeners"],
            interval=micros(run["interval"]),
            asleep=run["asleep"],
            cpus=run["cpus"],
            load=run["load"],
        )
        for name in names
    ]
