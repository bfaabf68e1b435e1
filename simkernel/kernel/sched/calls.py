"""The runner's view of the system call table, and its callbacks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from simkernel.kernel.sched.task import SchedTask

Handler = Callable[..., Any]
Exit = Callable[[SchedTask, int, BaseException | None, bool], None]
"""Told of a task that has ended: its wait status, what it raised, and whether its process ends with it."""


class SystemCalls(Protocol):
    """The system call table, as the runner uses it."""

    handlers: dict[str, Handler]

    @property
    def pending(self) -> frozenset[type]:
        """Types of a handler's result that mean the call is not done: a coroutine, a `BlockedCall`."""

    def find(self, name: str) -> Handler:
        """The handler of any call."""
