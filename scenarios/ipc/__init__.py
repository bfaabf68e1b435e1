"""Every transport between programs and drivers, side by side: why netlink exists, and when not to use it.

Covers: netlink, ioctl, read and write, mmap, sysfs, eventfd, SIGIO; pipes, unix sockets, shared memory,
    signals, NETLINK_USERSOCK: what each can do, what it costs, how long it takes, where it ends.
Scenario: Every transport that can do it answers a question, delivers an event and moves a frame, to and from
    the driver `ipc_demo` or another program. Probes try out what it can do.
When useful: to choose a transport, and to know why; each limit has a run of its own that shows it. A rough
    but fast run: --set messages=20 --set probes=no.
"""

from __future__ import annotations

from typing import Final

from simkernel import SimulationError
from simkernel.scenario import Run, ScenarioParameter, scenario

from .events import measure_events
from .measure import Bench, Row, measure_exchanges
from .probes import probe
from .report import ALL, KIB, TRANSPORTS, chosen, report_details, report_summary
from .transport import MAX_QUESTION

JOBS: Final = ("question", "event", "frame")
SIZES: Final = (16, 256, 1024, 4096, 16384, 65536)
FRAMES: Final = ("160x120", "320x240", "640x480", "1280x720", "1920x1080")
PIXEL: Final = 2
"""Bytes (YUYV)."""


def frame_bytes(frame: str) -> int:
    """Bytes of a frame."""
    width, height = map(int, frame.split("x"))
    return width * height * PIXEL


@scenario(
    ScenarioParameter(
        "transports", str, ALL, choices=(ALL, *TRANSPORTS), several=True, help="which transports"
    ),
    ScenarioParameter("job", str, ALL, choices=(ALL, *JOBS), several=True, help="which jobs"),
    ScenarioParameter("probes", bool, True, help="try out what each transport can do"),
    ScenarioParameter(
        "size", int, 0, minimum=0, maximum=MAX_QUESTION, unit="bytes", help="of a question; 0: 16 B to 64 KiB"
    ),
    ScenarioParameter("frame", str, ALL, choices=(ALL, *FRAMES), several=True, help="which frames"),
    ScenarioParameter(
        "messages", int, 100, minimum=10, maximum=100_000, help="timed for each figure; of frames a tenth"
    ),
    ScenarioParameter("listeners", int, 10, minimum=2, maximum=1000, help="where there are several"),
    ScenarioParameter(
        "interval", float, 200.0, minimum=1, maximum=1e6, unit="µs", help="from event to event"
    ),
    ScenarioParameter(
        "asleep", int, 1000, minimum=1, maximum=100_000, help="events during a listener's sleep"
    ),
    ScenarioParameter(
        "poll", float, 50.0, minimum=0, maximum=1e6, unit="µs", help="between lookups; 0: no pause"
    ),
    ScenarioParameter(
        "rcvbuf",
        int,
        0,
        minimum=0,
        maximum=425_984,
        unit="bytes",
        help="receive buffer of netlink sockets; 0: the default",
    ),
    ScenarioParameter("cpus", int, 2, minimum=1, maximum=64, help="processors"),
    ScenarioParameter(
        "load", float, 0.5, minimum=0, maximum=0.95, help="share of the processors that others use"
    ),
)
def ipc(run: Run) -> None:
    names, jobs = chosen(run["transports"], TRANSPORTS), chosen(run["job"], JOBS)
    refuse_nothing_to_do(names, jobs)
    machine = run.machine(cpus=run["cpus"], udev=False, instrumented=True)
    machine.blocking().modprobe("ipc_demo")
    bench, transports = Bench(machine, run), [TRANSPORTS[name] for name in names]
    questions = {size: f"{size} B" if size % KIB or not size else f"{size // KIB} KiB"
                 for size in ((run["size"],) if run["size"] else SIZES)}  # fmt: skip
    frames = {frame_bytes(frame): frame for frame in chosen(run["frame"], FRAMES)}
    sizes = {"question": (questions, run["messages"]), "frame": (frames, max(2, run["messages"] // 10))}
    cells = {each.name: probe(bench, each) for each in transports if run["probes"]}
    rows: dict[str, list[Row]] = {}
    for job in jobs:
        if job == "event":
            rows[job] = [measure_events(bench, each) for each in transports]
        else:
            columns, count = sizes[job]
            rows[job] = [
                measure_exchanges(bench, each, job, size, count) for each in transports for size in columns
            ]
    summarised = report_summary(run, cells, rows)
    columns_of = {job: columns for job, (columns, _) in sizes.items()}
    report_details(run, cells, rows, columns_of, detail=summarised)


def refuse_nothing_to_do(names: list[str], jobs: list[str]) -> None:
    """Raise SimulationError if none of the transports can do any of the jobs."""
    if not any(not TRANSPORTS[name].lacks(job) for name in names for job in jobs):
        able = {job: [name for name, each in TRANSPORTS.items() if not each.lacks(job)] for job in jobs}
        listed = "; ".join(f"{job}: {', '.join(each)}" for job, each in able.items())
        raise SimulationError(f"{', '.join(names)} cannot do that job: choose transports of these ({listed})")
