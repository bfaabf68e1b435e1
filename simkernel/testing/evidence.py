"""The report of a failed run of a test: its plan (a seed and perturbations), sleeping tasks, last
tracepoints, kernel log and replay command.
"""

from __future__ import annotations

import inspect
import subprocess
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from simkernel.engine import Record
from simkernel.explore.plan import IRQ
from simkernel.explore.run import Outcome, Target, Trial, run
from simkernel.explore.schedule import Done
from simkernel.kernel.sched.sleepers import asleep
from simkernel.testing.search import Result, Search
from simkernel.testing.sim import GIVEN
from simkernel.trace.exporter import Exporter
from simkernel.trace.log import Log
from simkernel.trace.pcap import Pcap
from simkernel.trace.perfetto import TraceJson
from simkernel.trace.plain import brief

SHOWN: Final = 30
"""Maximum number of tracepoints in a report."""
MAX_FIELD: Final = 32
"""Maximum number of bytes that a report shows of a `bytes` field. The report also cuts the text of every
field after 3 * MAX_FIELD characters.
"""
OURS: Final = "simkernel."
Section = tuple[str, str]
"""A section of the report, as a pair of title and text."""


class Observed:
    """A wrapper that runs a target, such as a test body. It keeps the last trace records of a run, and the
    state of the machines when the run fails or ends.
    """

    def __init__(
        self, target: Target, folder: Path | None = None, stem: str = "", last: int | None = SHOWN
    ) -> None:
        self.records: deque[Record] = deque(maxlen=last)
        self.asleep: list[str] = []
        self.log: list[str] = []
        self._ended = False
        self._trial: Trial | None = None
        self._target = target
        self._folder = folder
        self._stem = stem

    def run(self, trial: Trial) -> None:
        """Run the target (such as a test body) once. Keep the last trace records and the state of the
        machines.

        If a folder is given, write the trace, the netlink messages and the kernel log to it.
        """
        self._trial = trial
        trial.listeners.append(self._observe)
        with ExitStack() as files:
            if self._folder is not None:
                trial.listeners += map(files.enter_context, self._exporters(files, self._folder, trial))
            try:
                self._target.run(trial)
            finally:
                self._end()

    def _observe(self, record: Record) -> None:
        if self._ended:
            return
        self.records.append(record)
        assert self._trial is not None
        if record.name == "sched_process_exit" and any(
            machine.kernel.processes.failures for machine in self._trial.machines
        ):
            self._end()

    def _end(self) -> None:
        """Store the state of the machines, unless it was stored when a program failed."""
        if self._ended:
            return
        self._ended = True
        assert self._trial is not None
        for machine in self._trial.machines:
            self.asleep += asleep(machine.kernel.processes)
            self.log += machine.log.lines()

    def _exporters(self, files: ExitStack, folder: Path, trial: Trial) -> list[Exporter]:
        folder.mkdir(parents=True, exist_ok=True)

        def file(suffix: str, mode: str = "w") -> Any:
            encoding = None if "b" in mode else "utf-8"
            return files.enter_context((folder / f"{self._stem}.{suffix}").open(mode, encoding=encoding))

        clock = lambda: max(machine.now for machine in trial.machines)  # noqa: E731
        return [TraceJson(file("json")), Pcap(file("pcap", "wb"), clock), Log(file("log"))]


def sections(target: Target, result: Result, replay: str, observed: Observed | None = None) -> list[Section]:
    """Repeat the failed run of a search, and return the sections of its report."""
    outcome = result.outcome
    assert outcome is not None
    observed = observed or Observed(target)
    run(observed, outcome.plan)
    last = "\n".join(map(shown, observed.records))
    return [
        ("simulation", "\n".join(_summary(result, outcome))),
        ("asleep", "\n".join(observed.asleep) or "no task"),
        (f"last {len(observed.records)} tracepoints", last),
        ("kernel log", "\n".join(observed.log) or "(empty)"),
        ("replay", replay),
    ]


def _summary(result: Result, outcome: Outcome) -> Iterator[str]:
    of = f" of {result.total}" if result.total else ""
    shrunk = f", shrunk in {result.tries} runs" if result.tries else ""
    yield f"run {result.runs}{of} fails; its plan{shrunk}: {outcome.plan}"
    if not len(outcome.plan):
        yield "    no perturbation: the default run fails"
    yield from (f"    {line}" for line in perturbations(outcome))


def perturbations(outcome: Outcome) -> Iterator[str]:
    """Yield a line of text for each perturbation of a run, such as a delay of a task or a fault."""
    for each in outcome.done:
        yield _done(each)
    for name, n in outcome.plan.faults:
        yield f"{name} fails at hit {n}"
    for name, step in outcome.plan.stimuli.items():
        yield f"{name} happens {step} points after its announcement"
    for part in outcome.stale:
        yield f"{part} is stale: the run has no such point"


def _done(each: Done) -> str:
    if not each.place.startswith("step of "):
        until = "until the next interrupt, timer or deadline" if each.ns == IRQ else f"for {each.ns} ns"
        return f"{each.place} pauses {until} (point {each.point})"
    return f"{each.place.removeprefix('step of ')} continues {each.ns} ns later (point {each.point})"


def shown(record: Record) -> str:
    """Return a trace record as one line of text."""
    fields = " ".join(f"{name}={_field(value)}" for name, value in record.fields.items())
    flow = f" [flow {record.flow}]" if record.flow else ""
    return f"[{record.time / 1e9:14.9f}] {record.track:<16} {record.name}: {fields}{flow}"


def _field(value: object) -> str:
    if isinstance(value, bytes | memoryview):
        text = repr(bytes(value[:MAX_FIELD]))
    elif isinstance(value, str | int | type(None)):
        text = str(value)
    elif isinstance(value, tuple | list):
        text = f"({', '.join(map(_field, value))})"
    else:
        text = str(brief(value))
    return text if len(text) <= 3 * MAX_FIELD else text[: 3 * MAX_FIELD] + "..."


def commit(folder: Path) -> str:
    """Return the git commit of the sources in a folder, or an empty string."""
    head = _git(folder, "rev-parse", "--short=12", "HEAD")
    return f"{head}, with changes" if head and _git(folder, "status", "--porcelain") else head


def _git(folder: Path, *command: str) -> str:
    try:
        done = subprocess.run(["git", *command], cwd=folder, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return done.stdout.strip()


def replay_comment(folder: Path) -> str:
    """Return the comment for a replay command.  It names the git commit at which the run fails."""
    at = commit(folder)
    return f"    # at {at}" if at else ""


def without_our_frames(error: BaseException, seen: set[int] | None = None) -> None:
    """Remove simkernel's frames from the tracebacks of an exception, its causes, contexts and grouped
    exceptions.
    """
    seen = set() if seen is None else seen
    if id(error) in seen:
        return
    seen.add(id(error))
    error.__traceback__ = _stripped(error.__traceback__)
    others = [error.__cause__, error.__context__]
    if isinstance(error, BaseExceptionGroup):
        others += error.exceptions
    for each in others:
        if each is not None:
            without_our_frames(each, seen)


def _stripped(traceback: TracebackType | None) -> TracebackType | None:
    kept: list[TracebackType] = []
    while traceback is not None:
        if not str(traceback.tb_frame.f_globals.get("__name__", "")).startswith(OURS):
            kept.append(traceback)
        traceback = traceback.tb_next
    for each, following in zip(kept, [*kept[1:], None], strict=False):
        each.tb_next = following
    return kept[0] if kept else None


def check(body: Callable[..., object], **keywords: Any) -> None:
    """Run a test body under many plans (seeds and perturbations), as pytest does for a test with the mark
    `sim`. If a run fails, raise the exception of that run.

    It is for unittest and other test runners.  `keywords` are those of the mark.  The notes of the
    exception have the report.
    """
    names = inspect.signature(body).parameters
    search = Search.of(body, {name: None for name in GIVEN if name in names}, keywords)
    result = search.run()
    if result.outcome is None or result.outcome.failure is None:
        return
    failure = result.outcome.failure
    replay = f"check({getattr(body, '__name__', 'body')}, plans=[{str(result.outcome.plan)!r}], ...)"
    for title, text in sections(search.body, result, replay + replay_comment(Path())):
        failure.add_note(f"---- {title}\n{text}")
    without_our_frames(failure)
    raise failure
