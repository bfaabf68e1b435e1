"""Lesson 7: interrupts, deferred work, and the order in which tasks get a CPU.

Covers: an interrupt handler, a work item and its kernel thread; CPUs, a run queue and time slices of 3 ms;
    programs that compute without a pause.
Scenario: A mouse makes 40 movements. Its driver's handler defers the work to a kernel thread, which sends
    each movement to a program. Neighbours compute on the same CPUs. The report states the delay of each
    movement.
When useful: to see what deferring costs. The goal needs a change of one line of the driver.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from statistics import median
from typing import Any

from simkernel import App, micros, millis
from simkernel.hardware import Mouse, Move, Script
from simkernel.scenario import Run, ScenarioParameter, scenario
from simkernel.uapi.errno import error_name
from simkernel.uapi.netlink import NLMSG_HDRLEN
from simkernel.uapi.socket import AF_NETLINK, SOCK_RAW

PROTOCOL = 20
MOVES = 40
PERIOD = millis(8)
"""Time between two movements in ns. A movement that takes longer than this to reach the program is late."""
CHUNK = micros(100)
FAIR = 80
"""Minimum share of CPU time, in percent, that the neighbours (programs that only compute) must get."""
STEPS = {
    "report": "the mouse has moved",
    "irq_handler_entry": "the interrupt handler runs",
    "workqueue_execute_start": "the kernel thread has the CPU: the work runs",
    "netlink_broadcast": "the driver sends the movement",
    "netlink_recv": "the program has the CPU: it receives",
}


async def reader(app: App, received: list[tuple[int, bytes]]) -> None:
    """Receive the movements and record the time of each."""
    sock = await app.socket(AF_NETLINK, SOCK_RAW, PROTOCOL)
    await sock.bind((0, 1))
    while True:
        message = await sock.recv(4096)
        received.append((app.monotonic_ns(), message[NLMSG_HDRLEN:]))


async def neighbour(app: App, computed: list[int]) -> None:
    """Compute without a pause, as a neighbour of the reader."""
    while True:
        await app.compute(CHUNK)
        computed.append(CHUNK)


@scenario(
    ScenarioParameter(
        "neighbours", int, 0, minimum=0, maximum=3, help="programs that compute without a pause"
    ),
    ScenarioParameter("cpus", int, 1, minimum=1, maximum=2, help="processors of the machine"),
    ScenarioParameter(
        "driver", str, Path(__file__).with_name("pointer.txt").read_text("utf-8"), help="pointer.py"
    ),
)
def interrupts(run: Run) -> None:
    run.driver("driver", "pointer")
    run.expect_faults("pointer")
    machine = run.machine(cpus=run["cpus"], udev=False)
    steps: dict[int, dict[str, Any]] = defaultdict(dict)

    def note(record: Any) -> None:
        if record.name == "report" or (record.name in STEPS and record.flow in steps):
            steps[record.flow].setdefault(record.name, record)

    machine.trace.subscribe(note)
    received: list[tuple[int, bytes]] = []
    computed: list[int] = []
    try:
        machine.blocking().insmod("pointer")
    except OSError as error:
        run.goal(False, f"insmod fails with {error_name(error.errno or 0)}; the kernel log says why.")
        return
    machine.run(until=millis(10))
    machine.spawn(reader, received, uid=1000)
    machine.run(until=millis(12))
    for number in range(run["neighbours"]):
        machine.spawn(neighbour, computed, name=f"neighbour{number}")
    machine.plug(Mouse(Script(Move(PERIOD * n, dx=n % 7 + 1, dy=-1) for n in range(1, MOVES + 1))))
    begun = machine.now
    machine.run(until=begun + PERIOD * (MOVES + 6))
    report(run, list(steps.values()), received, sum(computed) * 100 // ((machine.now - begun) * run["cpus"]))


def report(run: Run, steps: list[dict[str, Any]], received: list[tuple[int, bytes]], share: int) -> None:
    """Report the delays and the steps of the slowest movement. Decide whether the run reaches the goal."""
    reports = [each["report"] for each in steps]
    sent = [
        (each.fields["dx"] | (each.fields["dy"] & 0xFFFF) << 16).to_bytes(4, "little") for each in reports
    ]
    right = [data for _, data in received] == sent
    delays = [time - each.time for each, (time, _) in zip(reports, received, strict=False)]
    late = sum(delay > PERIOD for delay in delays)
    run.metric("delays_ns", delays)
    run.metric("late", late)
    run.metric("neighbours_share", share)
    if delays:
        worst = delays.index(max(delays))
        run.text(
            f"Movements of the mouse: {len(sent)}; received by the program: {len(received)}. Half of them "
            f"arrive within {median(delays) / 1e6:.2f} ms, the slowest after {max(delays) / 1e6:.2f} ms. "
            f"Late movements: {late}. A movement is late after {PERIOD / 1e6:g} ms, because then the mouse "
            "has moved again."
        )
        rows, last = [], reports[worst].time
        for name, text in STEPS.items():
            if (record := steps[worst].get(name)) is not None:
                since = record.time - reports[worst].time
                rows.append((text, f"{since / 1000:.1f}", f"{(record.time - last) / 1000:.1f}"))
                last = record.time
        run.table(f"The slowest movement, number {worst}", ("what happens", "µs", "+ µs"), rows)
        for number, delay in enumerate(delays):
            name = f"movement {number}: {delay / 1e6:.2f} ms"
            run.follow(name, reports[number].flow, chosen=number == worst)
    if run["neighbours"]:
        run.text(f"The neighbours compute for {share} % of the time.")
    needed = (
        (
            right,
            f"movements are not as the mouse made them: {len(received)} of {len(sent)} arrive (see the log)",
        ),
        (run["cpus"] == 1, f"the machine has {run['cpus']} CPUs: only one is allowed"),
        (run["neighbours"] >= 2, f"there are {run['neighbours']} neighbours: there must be two at least"),
        (not late, f"{late} movements are late"),
        (share >= FAIR, f"the neighbours compute for {share} % of the time: at least {FAIR} % is needed"),
    )
    failed = [text for holds, text in needed if not holds]
    run.goal(not failed, f"{failed[0]}." if failed else f"all {len(sent)} movements arrive in time.")
