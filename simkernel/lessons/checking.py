"""Grade a student's file: search for a run that fails, in a separate process.

The separate process protects the command from the student's code. It sends the plan of each run before the
run begins. If no message arrives before the deadline, the parent kills the process and reports that plan.
Until then a watchdog in the process writes the stack several times. The stacks show the place of an
endless loop.
"""

from __future__ import annotations

import faulthandler
import os
import re
import sys
import traceback
from collections.abc import Callable, Iterable, Sequence
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import attrs

from simkernel.engine import InternalError, KernelBug, SimulationError, TimeLimit
from simkernel.explore.explorer import Explorer, Found, Held
from simkernel.explore.plan import Plan
from simkernel.explore.run import run
from simkernel.lessons.worker import limit_memory
from simkernel.testing.evidence import perturbations
from simkernel.testing.exercise import Attempt, Exercise, Wrong, find, refuse_exit
from simkernel.testing.machines import new_machine
from simkernel.testing.search import PAUSE_NS
from simkernel.uapi.errno import error_name

DEADLINE: Final = 20.0
"""Seconds of real time after which a run is treated as an endless loop."""
STARTING: Final = 60.0
"""Seconds of real time within which the grading process must start and begin its first run."""
DUMPS: Final = 4
"""Number of equal intervals into which the time limit of a run is divided. After each interval, the watchdog
writes the call stacks of the run to a file.
"""
STACKS: Final = "stacks"
MEMORY: Final = 4 << 30
"""Memory limit of the grading process in bytes."""
TOLD: Final = (Wrong, AssertionError, SimulationError)
"""Exceptions whose text alone is reported as the reason of a failure. For other exceptions, the reason also
has the class.
"""
TAIL: Final = 100
"""Number of points (instants at which a plan can delay a task). If a run exceeds its maximum number of
points, the grader searches this number of points at the end of the run for a line of the student's file.
"""
OURS: Final = " at simkernel/"
"""Text that marks the lines of simkernel's own code in a call trace."""
_FRAME: Final = re.compile(r'File "(.*)", line (\d+) in')


@attrs.frozen
class Verdict:
    """The result of grading a student's file.

    passed     False if a run fails
    runs       number of runs, without those of shrinking
    seed       the first of the seeds
    reason     why the run fails; `place` is FILE:LINE in the student's file, or ""
    plan       the plan of the smallest counter-example; `disturbs` describes its effect
    log, asleep, printed, calls
               the kernel log, the sleeping tasks, the output and the calls of that run
    """

    passed: bool
    runs: int
    seed: int
    reason: str = ""
    place: str = ""
    plan: str = ""
    disturbs: tuple[str, ...] = ()
    log: tuple[str, ...] = ()
    asleep: tuple[str, ...] = ()
    printed: str = ""
    calls: tuple[str, ...] = ()


def check(
    file: Path, name: str, *, seeds: int, seed: int, plan: str | None = None, deadline: float = DEADLINE
) -> Verdict:
    """Grade `file` in a new process: search for a plan (a seed and perturbations) under which a run fails.
    `seeds` is the number of random plans. If `plan` is given, only run that plan.
    """
    context = get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    runs, last, limit = 0, "0", STARTING
    with TemporaryDirectory() as folder:
        arguments = (theirs, folder, str(file), name, seeds, seed, plan, deadline)
        process = context.Process(target=_work, args=arguments, daemon=True)
        process.start()
        theirs.close()
        try:
            while ours.poll(limit):
                message = ours.recv()
                if isinstance(message, Verdict):
                    return message
                if isinstance(message, InternalError):
                    raise message
                runs, last, limit = runs + 1, message, deadline
        except EOFError:
            process.join(deadline)
            code = process.exitcode
            return Verdict(False, runs, seed, f"the code ends the process with exit code {code}", plan=last)
        finally:
            process.kill()
            process.join()
        stacks = Path(folder, STACKS).read_text("utf-8").split("Timeout")
        own = Attempt(find(name), file, Path(folder)).files
    frames = (frame for stack in reversed(stacks) for frame in _FRAME.findall(stack))
    places = (f"{file}:{line}" for path, line in frames if path in own)
    text = f"a run lasts longer than {deadline:g} s: the code loops and never waits"
    return Verdict(False, runs, seed, text, next(places, ""), last)


def _work(
    parent: Connection,
    folder: str,
    file: str,
    name: str,
    seeds: int,
    seed: int,
    plan: str | None,
    deadline: float,
) -> None:
    os._exit = refuse_exit
    sys.path.append(str(Path(file).resolve().parent))
    null = os.open(os.devnull, os.O_WRONLY)
    for descriptor in (1, 2):  # the student's code can bypass sys.stdout and write to the descriptors
        os.dup2(null, descriptor)
    limit_memory(MEMORY)
    with Path(folder, STACKS).open("w", encoding="utf-8") as stacks:

        def on_run(plan: Plan) -> None:
            faulthandler.dump_traceback_later(deadline / DUMPS, repeat=True, file=stacks)
            parent.send(str(plan))

        try:
            with new_machine(devices=("mouse",)):
                pass  # now the modules of simkernel are imported, so the first run is as fast as the others
            parent.send(grade(find(name), Path(file), Path(folder), seeds, seed, plan, on_run))
        except Exception as error:  # noqa: BLE001 - the parent raises it
            parent.send(InternalError(f"check: {error!r}"))
        faulthandler.cancel_dump_traceback_later()


def grade(
    exercise: Exercise,
    file: Path,
    folder: Path,
    seeds: int,
    seed: int,
    plan: str | None = None,
    on_run: Callable[[Plan], object] = lambda plan: None,
) -> Verdict:
    """Grade `file` in this process, without a deadline. `folder` must be empty, because a student's module is
    copied into it.
    """
    source = file.read_bytes()
    attempt = Attempt(exercise, file, folder, on_run)
    try:
        attempt.code = compile(source, str(file), "exec", dont_inherit=True)
    except (SyntaxError, ValueError) as error:
        return Verdict(False, 0, seed, *explained(error, attempt))
    if exercise.module:
        (folder / f"{exercise.module}.py").write_bytes(source)
    runs = 1
    if plan is None:
        found = searched(attempt, range(seed, seed + seeds))
        if isinstance(found, Held):
            return Verdict(True, found.runs, seed)
        outcome, runs = found.outcome, found.number
    else:
        outcome = run(attempt, Plan.parse(plan))
    if outcome.failure is None:
        return Verdict(True, runs, seed)
    attempt.recorded = True
    again = run(attempt, outcome.plan, record=True)
    reason, place = explained(outcome.failure, attempt, again.places)
    module = f"{exercise.module}.py:"

    def named(lines: Iterable[str]) -> tuple[str, ...]:
        return tuple(line.replace(module, f"{file.name}:") for line in lines if OURS not in line)

    return Verdict(
        False,
        runs,
        seed,
        reason.replace(module, f"{file.name}:"),
        place,
        str(outcome.plan),
        named(perturbations(outcome)),
        named(attempt.log),
        tuple(attempt.asleep),
        attempt.printed,
        tuple(attempt.calls),
    )


def searched(attempt: Attempt, seeds: Iterable[int]) -> Found | Held:
    """Search for a run that fails: first without perturbations, then with a pause at a line of the student's
    module, then under a random plan (perturbations) for each seed.

    Each line gets a pause at its first two hits and its last one. A line such as `x.n += 1` has a point
    between load and store.
    """
    explorer = Explorer(attempt, rules=attempt.exercise.faults)
    default = explorer.default()
    if default.failure is not None:
        return explorer.found(default)
    hits: dict[str, list[int]] = {}
    for at, place in enumerate(default.places, 1):
        if at > default.start and place.startswith(f"{attempt.exercise.module}.py:"):
            hits.setdefault(place, []).append(at)
    points = sorted({at for each in hits.values() for at in (*each[:2], each[-1])})
    found = explorer.first_failure(attrs.evolve(default.plan, points={at: PAUSE_NS}) for at in points)
    return found if isinstance(found, Found) else explorer.seeds(seeds, attempt.exercise.strategy)


def explained(error: BaseException, attempt: Attempt, points: Sequence[str] = ()) -> tuple[str, str]:
    """Return the reason of a failure, and its FILE:LINE in the student's file ("" if it is unknown).

    An endless run raises no exception in the student's file. Its place is the last of the `points` in that
    file.
    """
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    text = str(error)
    if isinstance(error, OSError) and error.errno:
        text = text.replace(f"[Errno {error.errno}]", f"{error_name(error.errno)}:", 1)
    if isinstance(error, KernelBug):  # keep the first bug's report, without simkernel's own trace lines
        report = re.split(r"\n\n=+\n", text)[0].splitlines()
        text = "\n".join(line for line in report if OURS not in line and not line.startswith("==="))
    reason = text if isinstance(error, TOLD) else f"{type(error).__name__}{text and ': '}{text}"
    own = attempt.files
    lines: list[int] = []
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, SyntaxError) and cause.filename in own:
            lines.append(cause.lineno or 1)
        lines += [cause.line] if isinstance(cause, Wrong) and cause.line else []
        stack = traceback.extract_tb(cause.__traceback__)
        lines += [frame.lineno or 0 for frame in stack if frame.filename in own][-1:]
        cause = cause.__cause__
    if not lines:
        own_line = re.compile(rf"(?<![\w/]){attempt.exercise.module}\.py:(\d+)")
        if isinstance(error, TimeLimit):
            reason = "the run never ends: a program or an interrupt handler runs again and again"
        texts = reversed(points[-TAIL:]) if isinstance(error, TimeLimit) else (reason,)
        lines = [int(line) for text in texts for line in own_line.findall(text)][:1]
    return reason, f"{attempt.file}:{lines[-1]}" if lines else ""
