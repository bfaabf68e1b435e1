"""Execution of an example's steps, first in simkernel, then on the host. The host's programs receive the
steps in as few messages as possible.

simkernel runs first. It decides after which steps a host program must be at rest: when its call blocks,
when another program's call ends, and as long as another program is blocked.
"""

from __future__ import annotations

import time
from enum import Enum
from typing import Final

from simkernel import Machine
from simkernel.engine import SimulationError
from tests.conformance.live.programs.chance import collects_garbage, order_is_open
from tests.conformance.live.programs.steps import (
    BUSY,
    GONE,
    SLEEPS,
    START,
    Outcome,
    Seen,
    Step,
    Steps,
    failed,
    ok,
    resolved,
)
from tests.conformance.programs.interface import FOLDER, BlockedForever
from tests.conformance.programs.real import RealPending, RealProgram, RealPrograms
from tests.conformance.programs.simulated import SimulatedPending, SimulatedPrograms

RESTING: Final = frozenset({"kill", "end", "fork", START})
"""Calls after which the host waits until every program is idle or blocked."""
PATIENCE: Final = 5.0


class Rest(Enum):
    """Way in which the host executes a step: without a wait, with a wait until all programs are idle or
    blocked, or in a separate message.
    """

    NONE = "the next step of the program can be in the same message"
    AFTER = "wait until all programs are at rest after the step"
    ALONE = "the step blocks: send it in a separate message, so that earlier outcomes arrive"


class SimulatedSide:
    """Executor that makes the steps in simkernel."""

    def __init__(self) -> None:
        self.machine = Machine(udev=False, unmodelled="raise")
        self.programs = SimulatedPrograms(self.machine)
        self.folder = self.machine.kernel.fs.lookup(self.machine.kernel.processes.init, FOLDER)
        self._sleeping: dict[int, SimulatedPending] = {}
        self._alive: set[int] = set()
        self.rests: list[Rest] = []
        self.chance = False
        """True if the result of the last step depends on chance on the host."""
        unix = self.machine.kernel.unix
        collect, self._unix = unix.carriers.collect, unix

        def watched_collect() -> None:
            self.chance |= collects_garbage(unix)
            collect()

        unix.carriers.collect = watched_collect  # type: ignore[method-assign]

    def close(self) -> None:
        self.machine.close()

    def free(self) -> list[int]:
        """Return the indices of the programs that can make a call."""
        return [place for place in sorted(self._alive) if place not in self._sleeping]

    @property
    def sleeping(self) -> bool:
        """True if a program is blocked in a call."""
        return bool(self._sleeping)

    def perform(self, step: Step) -> Seen:
        """Execute a step and return its effects."""
        others = bool(self._sleeping)
        seen = Seen(self._outcome(step))
        self.programs.settle()
        for place, pending in list(self._sleeping.items()):
            program = self.programs.all[place]
            if place != step.program or seen.outcome is not SLEEPS:
                if pending.ended:
                    seen.ended.append((place, _simulated_outcome(pending)))
                    del self._sleeping[place]
                elif not program.task.alive:
                    seen.ended.append((place, GONE))
                    del self._sleeping[place]
        for place, program in enumerate(self.programs.all):
            if place in self._alive and not program.task.alive:
                self._alive.discard(place)
                seen.dead.append(place)
                self._sleeping.pop(place, None)
        tasks = [self.programs.all[place].task for place in self._sleeping]
        self.chance = self.chance or order_is_open(tasks) or collects_garbage(self._unix)
        rests = others or seen.ended or seen.dead or step.call in RESTING
        self.rests.append(Rest.ALONE if seen.outcome is SLEEPS else Rest.AFTER if rests else Rest.NONE)
        return seen

    def _outcome(self, step: Step) -> Outcome:
        if step.call == START:
            self.programs.start(*step.arguments)
            self._alive.add(len(self.programs.all) - 1)
            return "ok", None
        if step.program not in self._alive:
            return GONE
        if step.program in self._sleeping:
            return BUSY
        program = self.programs.all[step.program]
        pids = [each.pid for each in self.programs.all]
        arguments = [resolved(each, pids) for each in step.arguments]
        try:
            if step.call == "fork":
                program.fork()
                self._alive.add(len(self.programs.all) - 1)
                return "ok", None
            if step.call == "end":
                program.end(*arguments)
                return "ok", None
            if step.call == "caught":
                return ok(program.caught())
            pending = program.begin(step.call, *arguments)
        except OSError as error:
            return failed(error)
        if not pending.ended and program.task.alive:
            self._sleeping[step.program] = pending
            return SLEEPS
        return _simulated_outcome(pending) if pending.ended else GONE


def _simulated_outcome(pending: SimulatedPending) -> Outcome:
    try:
        return ok(pending.result())
    except OSError as error:
        return failed(error)
    except SimulationError as error:
        return "unmodelled", str(error)


class RealSide:
    """Executor that makes the steps on the host, in batches."""

    def __init__(self) -> None:
        self.programs = RealPrograms(small=True)
        self._sleeping: dict[int, RealPending] = {}
        self._dead: set[int] = set()

    def close(self) -> None:
        self.programs.close()

    def run(self, steps: Steps, rests: list[Rest]) -> list[Seen]:
        """Execute the steps of an example, then end all its programs."""
        self._sleeping.clear()
        self._dead.clear()
        seen: list[Seen] = []
        start = 0
        try:
            while start < len(steps):
                end = start + 1
                while (
                    end < len(steps)
                    and rests[end - 1] is Rest.NONE
                    and rests[end] is not Rest.ALONE
                    and steps[end].program == steps[start].program
                    and steps[start].call not in RESTING
                    and steps[end].call not in RESTING
                ):
                    end += 1
                seen += map(Seen, self._batch(steps[start:end], rests[end - 1]))
                if rests[end - 1] is not Rest.NONE:
                    self._rest(seen[-1], steps[start].program)
                start = end
        finally:
            self.programs.reset()
        return seen

    def _batch(self, batch: Steps, rest: Rest) -> list[Outcome]:
        step = batch[0]
        if step.call == START:
            self.programs.start(*step.arguments)
            return [("ok", None)]
        program = self.programs.all[step.program] if step.program < len(self.programs.all) else None
        if program is None or program.ended:
            return [GONE] * len(batch)
        if step.program in self._sleeping:
            return [BUSY] * len(batch)
        if step.call == "fork":
            try:
                program.fork()
            except OSError as error:
                return [failed(error)]
            return [("ok", None)]
        if step.call == "end":
            program.end(*step.arguments)
            return [("ok", None)]
        pids = [each.pid for each in self.programs.all]
        pending = program.ask([(each.call, [resolved(a, pids) for a in each.arguments]) for each in batch])
        if rest is not Rest.ALONE:
            self._wait(program)
        else:
            self.programs.settle()
        if program.in_call and not program.ended:
            self._sleeping[step.program] = pending[program.counted]
            return [SLEEPS if index >= program.counted else ("later", None) for index in range(len(batch))]
        return [_real_outcome(each) for each in pending]

    def _wait(self, program: RealProgram) -> None:
        """Wait for a reply of a program. Return early if the program blocks in its call unexpectedly."""
        deadline = time.monotonic() + PATIENCE
        while program.in_call and not program.ended:
            if not program.wait_for_answer(0.05):
                if program.sleeps() and not program.drain():
                    self.programs.settle()
                    return
                if time.monotonic() > deadline:
                    raise BlockedForever(f"program {program.name} neither replies nor blocks")

    def _rest(self, seen: Seen, own: int) -> None:
        if seen.outcome is not SLEEPS:
            self.programs.settle()
        for place, pending in list(self._sleeping.items()):
            program = self.programs.all[place]
            if place == own and seen.outcome is SLEEPS and program.in_call and not program.ended:
                continue
            if pending.finished or program.ended:
                seen.ended.append((place, _real_outcome(pending)))
                del self._sleeping[place]
        for place, program in enumerate(self.programs.all):
            if program.ended and place not in self._dead:
                self._dead.add(place)
                seen.dead.append(place)
                self._sleeping.pop(place, None)


def _real_outcome(pending: RealPending) -> Outcome:
    if not pending.finished:
        return GONE
    try:
        return ok(pending.result())
    except OSError as error:
        return failed(error)


def run_simulated(steps: Steps) -> tuple[list[Seen], list[Rest]]:
    """Execute the steps in a new machine. Stop at a step that simkernel does not model or whose result
    depends on chance.
    """
    side = SimulatedSide()
    seen: list[Seen] = []
    try:
        for step in steps:
            seen.append(side.perform(step))
            if side.chance:
                seen.pop()
                break
            if is_unmodelled(seen[-1]):
                break
    finally:
        side.close()
    return seen, side.rests


def is_unmodelled(seen: Seen) -> bool:
    """Return True if a step reached behaviour that simkernel does not model."""
    return any(kind == "unmodelled" for kind, _ in (seen.outcome, *(outcome for _, outcome in seen.ended)))
