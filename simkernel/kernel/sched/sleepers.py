"""Errors that list which task sleeps where."""

from __future__ import annotations

from collections.abc import Iterable

from simkernel.engine import SimulationError
from simkernel.kernel.sched.task import SchedTask


def explained(
    kind: type[SimulationError],
    text: str,
    tasks: Iterable[SchedTask],
    failures: Iterable[tuple[SchedTask, BaseException]],
) -> SimulationError:
    """An error that lists who sleeps where, kernel threads last; its cause is what programs have raised."""
    asleep = [
        f"{_activity(task)} on {task.sleep.where}"
        for task in sorted(tasks, key=lambda task: task.kthread)
        if task.sleep is not None
    ]
    error = kind(f"{text}; asleep: {'; '.join(asleep) or 'nobody'}")
    raised = [each for _, each in failures]
    if raised:
        error.__cause__ = BaseExceptionGroup("programs failed", raised)
    return error


def _activity(task: SchedTask) -> str:
    return task.track if task.call is None else f"{task.track} in {task.call.name}"
