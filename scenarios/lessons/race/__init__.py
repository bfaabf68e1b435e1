"""Lesson 8: three lines of a driver, a race between two tasks, and the lock that prevents it.

Covers: a handler that sleeps, a lost update, a mutex; schedules as plans; shrinking of a failing plan.
Scenario: Two visitors write to a driver's file, three times each, and the driver counts them in a chip. The
    run is repeated with other plans, which delay the tasks. The report shows one run line by line, a failing
    one if any fails.
When useful: to see why one run that passes proves little, and what a lock prevents. The plans delay tasks,
    but do not pause code between statements, so they do not need greenlet.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import itemgetter
from pathlib import Path
from typing import Any

import attrs

from simkernel import App, Machine, micros, millis, seconds
from simkernel.explore.explorer import Explorer
from simkernel.explore.plan import Plan
from simkernel.explore.points import POINTS
from simkernel.explore.run import Outcome, Trial
from simkernel.explore.schedule import Schedule
from simkernel.explore.strategy import Profile, draw
from simkernel.hardware import RW, Device, Register
from simkernel.scenario import Run, ScenarioParameter, scenario
from simkernel.uapi.errno import error_name
from simkernel.uapi.fcntl import O_WRONLY

VISITORS = ("Anna", "Ben")
VISITS = 3
GAP = 0.002
SCHEDULES = 200
MAX_ROWS = 200
STRATEGIES = ("pct", "noise")
"""The strategies of the search for a failing schedule. Both delay tasks when they continue, and neither
pauses the driver between two statements.
"""
COUNT = 0x10
FILE = "/sys/bus/simbus/devices/0:1/count"
BEGIN, END = "calls write()", "write() returns"
CALLS = {"sys_enter": BEGIN, "sys_exit": END}
ACCESSES = {"rwmmio_read": "the chip answers", "rwmmio_write": "the chip gets"}
DRIVER = ScenarioParameter(
    "driver", str, Path(__file__).with_name("turnstile.txt").read_text("utf-8"), help="turnstile.py"
)


class Chip(Device):
    """A chip with one counter register. It ignores writes while it sleeps and while it wakes up.

    A read wakes it, which takes 50 us: until then it ignores writes.  It sleeps after 1 s.
    """

    vendor_id, device_id = 0x1234, 0x0008
    registers = (Register("COUNT", COUNT, RW),)

    def power_on(self) -> None:
        self.used = self.woken = self.now - seconds(2)

    def read_count(self) -> int:
        if self.now > self.used + seconds(1):
            self.woken = self.now
        self.used = self.now
        return self.values[COUNT]

    def accepts(self, register: Register, value: int) -> bool:
        return self.woken + micros(50) <= self.now <= self.used + seconds(1)


@attrs.define
class Sections:
    """An observer of a schedule. It records which task is running."""

    stepped: Any = None
    """The task that is about to run."""
    task: Any = None

    def scheduled(self) -> Any:
        task, self.stepped = self.stepped, None
        return task

    def begin(self, token: Any) -> None:
        self.task = token


class Steps(Schedule):
    """A schedule that records the actions of the visitors, the two programs that write to the driver. Each
    row has a time, the visitor's name, a line number in the driver's source, and a text.
    """

    def __init__(self, plan: Plan) -> None:
        self.sections = Sections()
        self.rows: list[list[Any]] = []
        super().__init__(plan, observer=self.sections, instruments=(POINTS,), statements=False)

    def begin(self, engine: Any) -> None:
        self.clock = engine.time
        super().begin(engine)

    def step(self, task: Any) -> int:
        self.sections.stepped = task
        return super().step(task)

    def statement(self, place: str) -> int:
        comm = getattr(self.sections.task, "comm", "")
        if comm in VISITORS and len(self.rows) < MAX_ROWS:
            self.rows.append([self.clock(), comm, int(place.rpartition(":")[2]), ""])
        return 0

    def note(self, record: Any) -> None:
        """If a visitor's write(2) starts or ends, add a row to `rows`. If the driver accesses a register,
        describe the access in the newest row, because this is the row of the accessing statement.
        """
        if record.name in ACCESSES and self.rows:
            self.rows[-1][3] = f"{ACCESSES[record.name]} {record.fields['value']}"
        elif record.fields.get("call") == "write" and record.fields["comm"] in VISITORS:
            self.rows.append([record.time, record.fields["comm"], 0, CALLS[record.name]])

    def shown(self) -> list[list[Any]]:
        """Return the rows of the first write(2) calls that overlap. If none overlap, return the rows of the
        first two calls.
        """
        inside: dict[str, int] = {}
        overlap, ends = None, []
        for number, (_, name, _, text) in enumerate(self.rows):
            if text == BEGIN:
                inside[name] = number
                overlap = min(inside.values()) if overlap is None and len(inside) > 1 else overlap
            elif text == END:
                inside.pop(name, None)
                ends.append(number + 1)
                if overlap is not None and not inside:
                    break
        if overlap is not None:
            return sorted(self.rows[overlap : number + 1], key=itemgetter(0))
        return self.rows[: ends[1] if len(ends) > 1 else None]


async def visitor(app: App, first: float, visits: list[tuple[int, int]], errors: list[str]) -> None:
    """Write to the driver's file VISITS times, and record the times."""
    try:
        fd = await app.open(FILE, O_WRONLY)
        await app.sleep(first)
        for _ in range(VISITS):
            await app.sleep(GAP)
            begin = app.monotonic_ns()
            await app.write(fd, b"1")
            visits.append((begin, app.monotonic_ns()))
    except OSError as error:
        errors.append(f"a visitor gets {error_name(error.errno or 0)}")


async def load(app: App, errors: list[str]) -> None:
    """Load the student's driver, and record an error if this fails."""
    try:
        await app.insmod("turnstile")
    except OSError as error:
        errors.append(f"insmod fails with {error_name(error.errno or 0)} (see the kernel log)")


def attempt(machine: Machine, began: Callable[[], None]) -> bool:
    """Run two programs that write to the driver, and compare the chip's count with the number of writes.

    Return True if two writes overlap.  Raise AssertionError if the count is wrong or the driver fails.
    """
    chip, wrong = Chip(), list[str]()
    machine.plug(chip)
    machine.spawn(load, wrong)
    machine.run()
    began()
    visits: dict[str, list[tuple[int, int]]] = {name: [] for name in VISITORS}
    for number, (name, times) in enumerate(visits.items() if not wrong else ()):
        machine.spawn(visitor, number * GAP / 2, times, wrong, name=name)
    machine.run(until=machine.now + millis(500))
    bugs = [line.partition("BUG: ")[2] for line in machine.log.lines() if "BUG: " in line]
    wrong += [f"write() never returns for {name}" for name, times in visits.items() if len(times) < VISITS]
    if (count := chip.values[COUNT]) != (came := VISITS * len(VISITORS)):
        wrong.append(f"{came} visitors come, and the chip counts {count}")
    if bugs or wrong:
        raise AssertionError(f"the kernel log has a bug: {bugs[0]}" if bugs else wrong[0])
    first, second = visits.values()
    return any(a < d and c < b for a, b in first for c, d in second)


@attrs.define
class Target:
    """A test for a search of failing schedules, which runs it many times. `overlap` is True if two write(2)
    calls overlapped in the newest run.
    """

    folder: Path
    overlap: bool = False

    def run(self, trial: Trial) -> None:
        self.overlap = False
        self.overlap = attempt(trial.machine(udev=False, module_path=[self.folder]), trial.began)


@scenario(
    ScenarioParameter(
        "schedules", int, 1, minimum=1, maximum=SCHEDULES, help="number of runs, each with other delays"
    ),
    DRIVER,
)
def race(run: Run) -> None:
    target = Target(run.driver("driver", "turnstile"))
    explorer = Explorer(target, statements=False)
    outcomes, shown = [explorer.default(run.seed)], Plan(run.seed)
    profile = Profile.of(outcomes[0])
    for number in range(2, run["schedules"] + 1 if outcomes[0].failure is None else 2):
        outcomes.append(explorer.run(draw(STRATEGIES[number % 2], number, profile)))
        if target.overlap and not shown.points:
            shown = outcomes[-1].plan
    failed = [number for number, outcome in enumerate(outcomes, 1) if outcome.failure is not None]
    if failed:
        smallest = min((outcomes[number - 1] for number in failed), key=lambda outcome: len(outcome.plan))
        shown = explorer.found(smallest).plan
    steps = Steps(attrs.evolve(shown, seed=run.seed))
    wrong = ""
    machine = run.machine(udev=False, perturbation=steps)
    machine.trace.subscribe(steps.note)
    try:
        attempt(machine, lambda: None)
    except Exception as error:  # noqa: BLE001 - what a driver does wrong is the answer
        wrong = str(error)
    run.expect_faults("turnstile")
    report(run, outcomes, failed, steps, wrong)


def report(run: Run, outcomes: list[Outcome], failed: list[int], steps: Steps, wrong: str) -> None:
    """Report the run that `steps` recorded. The goal is reached if all schedules have run and none of them
    failed.
    """
    delays = " and ".join(
        f"{each.place.removeprefix('step of ')} by {each.ns / 1e6:.3f} ms" for each in steps.done
    )
    tried = f"{len(outcomes)} schedules: {len(failed)} fail. " if len(outcomes) > 1 else ""
    result = wrong or f"{VISITS * len(VISITORS)} visitors come, and the chip counts them all"
    run.text(f"{tried}The run below {f'delays {delays}' if delays else 'delays no task'}: {result}.")
    code, rows = run["driver"].splitlines(), steps.shown()
    begin = rows[0][0] if rows else 0
    for row in rows:
        row[0] -= begin
    run.table(
        f"Line by line, with a delay of {delays}" if delays else "Line by line, without delays",
        ("µs", "visitor", "line", "what the task does"),
        [
            (
                f"{time / 1000:.1f}",
                name,
                line or "",
                f"{(line and code[line - 1].strip()) or ''} {text}".strip(),
            )
            for time, name, line, text in rows
        ],
        detail=True,
    )
    failures = [(number, outcomes[number - 1]) for number in failed[:20]]
    run.table(
        "Schedules that fail",
        ("number", "plan", "result"),
        [(number, str(outcome.plan), str(outcome.failure)) for number, outcome in failures],
        detail=True,
    )
    run.metric("tried", len(outcomes))
    run.metric("failed", failed)
    run.metric("rows", rows)
    run.metric("plan", str(steps.plan))
    rest = f"{len(failed)} of them fail" if failed else "all of them hold"
    run.goal(
        len(outcomes) == SCHEDULES and not failed,
        f"{len(outcomes)} of {SCHEDULES} schedules run, and {rest}.",
    )
