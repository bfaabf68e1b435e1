"""Schedulers and pauses of a machine whose run is perturbed by a plan (engine/planned.py)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from simkernel.engine import Engine, Timer
from simkernel.engine.planned import PlannedEngine
from simkernel.kernel.lib.costs import CostModel
from simkernel.kernel.sched.preempt import Preempt
from simkernel.kernel.sched.runner import Runner
from simkernel.kernel.sched.scheduler import (
    Continue,
    Cpu,
    ObservedCpus,
    RunQueue,
    Schedulable,
    Scheduler,
)


class PlannedCpus(ObservedCpus):
    """One CPU for each task; a plan may delay the tasks."""

    _engine: PlannedEngine

    def begin(self, task: Schedulable, function: Continue, *arguments: Any) -> None:
        self._engine.run_section(function, task, *arguments)


class PlannedRunQueue(RunQueue):
    """N CPUs and a run queue; a plan may delay the tasks.  A paused task keeps its CPU."""

    _engine: PlannedEngine

    def begin(self, task: Schedulable, function: Continue, *arguments: Any) -> None:
        observed: Any = self._engine.observed(function)  # the observer orders it after this section
        super().begin(task, observed, *arguments)

    def _arm(self, cpu: Cpu, due: int, function: Continue, arguments: tuple[Any, ...]) -> None:
        due += self._engine.perturbation.step(cpu.holder)
        if not isinstance(
            function, partial
        ):  # it is a partial if the task was re-queued when its slice ended
            function = partial(self._engine.run_section, function)
        super()._arm(cpu, due, function, arguments)


def scheduler(engine: Engine, costs: CostModel, cpus: int | None) -> Scheduler:
    """Return the scheduler for `cpus` CPUs; for None, one with a CPU for each task."""
    assert isinstance(engine, PlannedEngine)
    return PlannedCpus(engine, costs) if cpus is None else PlannedRunQueue(engine, costs, cpus)


class Pauses:
    """The statements of module code at which a plan may pause a section.

    Interrupts, timers and holders of a spinlock do not pause.  On Linux, only another CPU can run between
    their statements, and this CPU spins.  A coroutine that is being closed does not pause, because Python
    closes it in one step.
    """

    def __init__(self, engine: Engine, preempt: Preempt, runner: Runner) -> None:
        assert isinstance(engine, PlannedEngine)
        self._engine = engine
        self._preempt = preempt
        self._runner = runner
        self._statement = engine.perturbation.statement
        engine.attach(self.at_statement)

    def at_statement(self, place: str) -> None:
        """Pause the section if the plan has a pause at this point."""
        preempt = self._preempt
        if preempt.interrupts or preempt.locks or preempt.evaluating or self._runner.closing:
            return
        pause = self._statement(place)
        if pause:
            engine = self._engine
            now = engine.now + engine.charged
            engine.pause(now + pause if pause > 0 else max(now, self._next_interrupt()) + 1, self._leave)

    def _leave(self) -> Callable[[], None]:
        runner, task = self._runner, self._runner.current
        runner.current = None
        if task is not None:
            runner.paused.add(task)

        def back() -> None:
            runner.current = task
            if task is not None:
                runner.paused.discard(task)

        return back

    def _next_interrupt(self) -> int:
        """Return the time of the next timer of a device, a driver or a deadline.  CPU timers do not count."""
        for time, _, _, timer, *_ in sorted(self._engine.queue, key=lambda entry: entry[:3]):
            owner = getattr(timer.function, "__self__", None) if type(timer) is Timer else None
            if owner is not None and not isinstance(owner, RunQueue):
                return int(time)
        return self._engine.now
