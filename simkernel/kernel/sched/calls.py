"""Types that the runner (kernel/sched/runner.py) uses: the system call table, its handlers, and the callback
for the end of a task.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from simkernel.kernel.sched.task import SchedTask

Handler = Callable[..., Any]
Exit = Callable[[SchedTask, int, BaseException | None, bool], None]
"""A function that is called when a task has ended. Its arguments: the task, its wait status, its exception or
None, and True if the whole process ends.
"""


class SystemCalls(Protocol):
    """The system call table: it maps the name of each call to its handler."""

    handlers: dict[str, Handler]

    @property
    def pending(self) -> frozenset[type]:
        """The types of the results that a handler returns if its call has not ended yet: coroutines and
        blocked calls.
        """

    def find(self, name: str) -> Handler:
        """Return the handler of the system call `name`."""
