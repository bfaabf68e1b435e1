"""Programs: what a task runs.

A program is a function of an `App` and whatever arguments it is spawned with: `async def`, awaiting
system calls, or a generator function that yields them.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Coroutine, Generator
from typing import Any

from simkernel.engine import SimulationError

Program = Callable[..., object]


class Image:
    """A program with its arguments and its name, ready to be run as some task."""

    __slots__ = ("_arguments", "_keywords", "_make_app", "_program", "comm")

    def __init__(
        self,
        make_app: Callable[[Any], object],
        program: Program,
        arguments: tuple[object, ...],
        keywords: dict[str, object],
        comm: str | None,
    ) -> None:
        if not callable(program):
            raise SimulationError(
                f"{program!r} is not a program: pass the function itself, not what it returns"
            )
        self.comm = comm or name_of(program)
        self._make_app = make_app
        self._program = program
        self._arguments = arguments
        self._keywords = keywords

    def __str__(self) -> str:
        return self.comm

    def begin(self, task: object) -> Coroutine[Any, Any, object]:
        """The coroutine that `task` runs.  SimulationError if the function does not make one."""
        made = self._program(self._make_app(task), *self._arguments, **self._keywords)
        if inspect.iscoroutine(made):
            return made
        if inspect.isgenerator(made):
            return _awaiting(made)
        kind = "an async generator" if inspect.isasyncgen(made) else f"{made!r}"
        raise SimulationError(
            f"{self.comm} is not a program: it returned {kind}; write it as `async def {self.comm}(app)` "
            "without `yield`, or as a generator function that yields its calls"
        )


def name_of(program: Program) -> str:
    """What the task that runs `program` is called."""
    while isinstance(program, functools.partial):
        program = program.func
    return getattr(program, "__name__", type(program).__name__)


async def _awaiting(program: Generator[object, Any, object]) -> object:
    """A generator program as a coroutine: what it yields is awaited, what comes of that is sent in."""
    value: object = None
    error: BaseException | None = None
    while True:
        try:
            request = program.send(value) if error is None else program.throw(error)
        except StopIteration as stop:
            return stop.value
        value, error = None, None
        if not inspect.isawaitable(request):
            error = SimulationError(f"a generator program yielded {request!r}, which is not a system call")
            continue
        try:
            value = await request
        except BaseException as raised:  # noqa: BLE001 - it is the program's to handle
            error = raised
