"""Schedulers and pauses for a machine whose run follows a plan. A plan is a list: each entry delays a task or
pauses module code (engine/planned.py).
"""

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
    """A scheduler with one CPU for each task. A plan (a list of delays and pauses, see engine/planned.py) may
    delay tasks.
    """

    _engine: PlannedEngine

    def begin(self, task: Schedulable, function: Continue, *arguments: Any) -> None:
        self._engine.run_section(function, task, *arguments)


class PlannedRunQueue(RunQueue):
    """A scheduler with N CPUs and a run queue. A plan (a list of delays and pauses, see engine/planned.py)
    may delay or pause tasks. A task keeps its CPU while it is paused.
    """

    _engine: PlannedEngine

    def begin(self, task: Schedulable, function: Continue, *arguments: Any) -> None:
        # `observed()` records for the race detector that the code that runs now precedes `function`
        observed: Any = self._engine.observed(function)
        super().begin(task, observed, *arguments)

    def _arm(self, cpu: Cpu, due: int, function: Continue, arguments: tuple[Any, ...]) -> None:
        due += self._engine.perturbation.step(cpu.holder)
        # do not wrap `function` again if the task was queued again at the end of its time slice
        if not (isinstance(function, partial) and function.func == self._engine.run_section):
            function = partial(self._engine.run_section, function)
        super()._arm(cpu, due, function, arguments)


def scheduler(engine: Engine, costs: CostModel, cpus: int | None) -> Scheduler:
    """Return a scheduler with `cpus` CPUs. If `cpus` is None, return a scheduler that gives each task its own
    CPU.
    """
    assert isinstance(engine, PlannedEngine)
    return PlannedCpus(engine, costs) if cpus is None else PlannedRunQueue(engine, costs, cpus)


class Pauses:
    """Pauses the code of modules before the statements that a plan selects.

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
        """Pause the running code before a statement of a module if the plan contains a pause at this
        statement. `place` is the file and line of the statement.
        """
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
        """Return the time at which the next timer of a device or a driver expires, or the next sleep reaches
        its deadline. Timers of CPUs do not count. If there is no such time, return the current time.
        """
        for time, _, _, timer, *_ in sorted(self._engine.queue, key=lambda entry: entry[:3]):
            owner = getattr(timer.function, "__self__", None) if type(timer) is Timer else None
            if owner is not None and not isinstance(owner, RunQueue):
                return int(time)
        return self._engine.now
