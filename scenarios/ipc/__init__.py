"""Every transport between programs and drivers, compared: why netlink exists, and when not to use it.

Covers: netlink, ioctl, read and write, mmap, sysfs, eventfd, SIGIO; pipes, unix sockets, shared memory,
    signals, NETLINK_USERSOCK: the capabilities, costs, latencies and limits of each.
Scenario: Each transport answers a question, delivers an event and moves a frame, if it can. The other side
    is the driver `ipc_demo` or another program. Probes test the capabilities of each transport.
When useful: to choose a transport, and to know why; for each limit the report names a run that shows it. A
    rough but fast run: --set messages=20 --set probes=no.
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
"""Size of a pixel in bytes (YUYV)."""


def frame_bytes(frame: str) -> int:
    """Return the size of a frame in bytes."""
    width, height = map(int, frame.split("x"))
    return width * height * PIXEL


@scenario(
    ScenarioParameter(
        "transports", str, ALL, choices=(ALL, *TRANSPORTS), several=True, help="which transports"
    ),
    ScenarioParameter("job", str, ALL, choices=(ALL, *JOBS), several=True, help="which jobs"),
    ScenarioParameter("probes", bool, True, help="test the capabilities of each transport"),
    ScenarioParameter(
        "size",
        int,
        0,
        minimum=0,
        maximum=MAX_QUESTION,
        unit="bytes",
        help="size of a question; 0: 16 B to 64 KiB",
    ),
    ScenarioParameter("frame", str, ALL, choices=(ALL, *FRAMES), several=True, help="which frames"),
    ScenarioParameter(
        "messages",
        int,
        100,
        minimum=10,
        maximum=100_000,
        help="messages per measurement; a tenth of them for frames",
    ),
    ScenarioParameter(
        "listeners", int, 10, minimum=2, maximum=1000, help="number of listeners in measurements with several"
    ),
    ScenarioParameter(
        "interval", float, 200.0, minimum=1, maximum=1e6, unit="µs", help="from event to event"
    ),
    ScenarioParameter(
        "asleep", int, 1000, minimum=1, maximum=100_000, help="events that are sent while a listener sleeps"
    ),
    ScenarioParameter(
        "poll", float, 50.0, minimum=0, maximum=1e6, unit="µs", help="pause between two polls; 0: no pause"
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
    ScenarioParameter("load", float, 0.5, minimum=0, maximum=0.95, help="CPU share of the background load"),
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
    """Raise SimulationError if no chosen transport can do any of the chosen jobs."""
    if not any(not TRANSPORTS[name].lacks(job) for name in names for job in jobs):
        able = {job: [name for name, each in TRANSPORTS.items() if not each.lacks(job)] for job in jobs}
        listed = "; ".join(f"{job}: {', '.join(each)}" for job, each in able.items())
        raise SimulationError(f"{', '.join(names)} can do none of the chosen jobs; these can: {listed}")
