"""A simulated program that executes jobs for ordinary code (Python code outside the simulation)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Concatenate, Final, ParamSpec, TypeVar

from simkernel.application.app import App
from simkernel.engine import seconds
from simkernel.machine import Machine

T = TypeVar("T")
P = ParamSpec("P")
Job = Callable[[App], Awaitable[Any]]

REST: Final = 3600
"""Simulated seconds that the program sleeps before it checks for a job again."""


class Worker:
    """A simulated program that runs as root and executes jobs for ordinary code (Python code outside the
    simulation).
    """

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._job: Job | None = None
        self._result: Any = None
        machine.spawn(self._program)
        machine.run(until=seconds(1))

    async def _program(self, app: App) -> None:
        while True:
            if self._job is not None:
                self._result = await self._job(app)
                self._job = None
            await app.sleep(REST)

    def do(self, job: Callable[Concatenate[App, P], Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a job in the program until it is done, and return its result."""
        self._job = lambda app: job(app, *args, **kwargs)
        while self._job is not None:
            self._machine.run(until=self._machine.now + seconds(REST))
        result: T = self._result
        return result
