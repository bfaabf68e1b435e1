"""Errors whose text lists sleeping tasks."""

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
    """Return an error whose text lists each sleeping task and its wait queue, kernel threads last.

    The error's cause is a group of the exceptions that programs have raised.
    """
    error = kind(f"{text}; asleep: {'; '.join(asleep(tasks)) or 'no task'}")
    raised = [each for _, each in failures]
    if raised:
        error.__cause__ = BaseExceptionGroup("programs failed", raised)
    return error


def asleep(tasks: Iterable[SchedTask]) -> list[str]:
    """Return a text for each sleeping task: its call and its wait queue.  Kernel threads are last."""
    return [
        f"{_activity(task)} on {task.sleep.where}"
        for task in sorted(tasks, key=lambda task: task.kthread)
        if task.sleep is not None
    ]


def _activity(task: SchedTask) -> str:
    return task.track if task.call is None else f"{task.track} in {task.call.name}"
