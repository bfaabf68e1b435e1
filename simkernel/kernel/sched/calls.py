"""The interface of the system call table that the runner uses, and the types of its callbacks."""

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
    """The system call table, as the runner uses it."""

    handlers: dict[str, Handler]

    @property
    def pending(self) -> frozenset[type]:
        """The types of results that mean that the call is not done: a coroutine or a `BlockedCall`."""

    def find(self, name: str) -> Handler:
        """Return the handler of the system call `name`."""
