"""Programs, the functions that tasks run.

A program's parameters are an `App` and the arguments of `spawn`.  It is an `async def` function that
awaits its system calls, or a generator function that yields them.  A plain function is a program, too: it
runs in a greenlet, and the calls of its `app` block (`simkernel.blocking.Blocking`).
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Coroutine, Generator
from typing import TYPE_CHECKING, Any, Final, NoReturn

from simkernel.application.arguments import text
from simkernel.application.caller import Caller, System
from simkernel.engine import SimulationError

if TYPE_CHECKING:
    from simkernel.application.plain import GreenletProgram

Program = Callable[..., object]

KINDS: Final = (inspect.iscoroutinefunction, inspect.isgeneratorfunction, inspect.isasyncgenfunction)
"""Predicates for functions that are not plain.  Calling such a function only creates a coroutine or a
generator.
"""


class Image:
    """A program that a new task can run: the function, its arguments and the name of the task."""

    __slots__ = ("_arguments", "_keywords", "_program", "_system", "comm")

    def __init__(
        self,
        system: System,
        program: Program,
        arguments: tuple[object, ...],
        keywords: dict[str, object],
        comm: str | None,
    ) -> None:
        if not callable(program):
            raise SimulationError(f"{program!r} is not a program: pass the function itself, not its result")
        self.comm = text(comm or name_of(program))
        self._system = system
        self._program = program
        self._arguments = arguments
        self._keywords = keywords

    def __repr__(self) -> str:
        return f"<image {self.comm}>"

    def __str__(self) -> str:
        return self.comm

    def begin(self, task: Any) -> Coroutine[Any, Any, object] | GreenletProgram:
        """Return the coroutine or GreenletProgram that `task` runs.

        Raise SimulationError if the function raises when it is called, or returns neither a coroutine nor
        a generator. A plain function is called later, when its task first runs.
        """
        app = self._system.app(task)
        if is_plain(self._program):
            return self._greenlet(task, app)
        try:
            made = self._program(app, *self._arguments, **self._keywords)
        except Exception as error:
            what = f"{type(error).__name__}: {error}"
            raise SimulationError(f"{self.comm} cannot be started with these arguments: {what}") from error
        return self._coroutine(made) or self._refuse(made)

    def _greenlet(self, task: Any, app: Caller) -> Coroutine[Any, Any, object] | GreenletProgram:
        try:
            from simkernel.application.plain import GreenletProgram
        except ImportError:
            return self._without_greenlet(app)

        def body() -> object:
            return self._program(calls, *self._arguments, **self._keywords)

        def on_return(made: object) -> Coroutine[Any, Any, object] | None:
            coroutine = self._coroutine(made)
            if coroutine is not None:
                calls.unblock()
            return coroutine

        program = GreenletProgram(task, body, on_return)
        calls = self._system.blocking_app(app, program)
        return program

    async def _without_greenlet(self, app: Caller) -> object:
        """Run a plain function if greenlet is not installed.  It must return a coroutine or a generator,
        for example because it wraps an `async def`.
        """
        hint = (
            f"{self.comm} is a plain function, which runs in a greenlet, and greenlet is not installed: "
            f"pip install 'simkernel[testing]', or write `async def {self.comm}(app)`"
        )
        try:
            made = self._program(app, *self._arguments, **self._keywords)
        except Exception as error:
            error.add_note(
                hint
            )  # without greenlet, calls return awaitables and not results, so most plain functions fail
            raise
        coroutine = self._coroutine(made)
        if coroutine is None:
            raise SimulationError(hint)
        return await coroutine

    def _coroutine(self, made: object) -> Coroutine[Any, Any, object] | None:
        """Return a coroutine unchanged, and wrap a generator in a coroutine.  Return None for any other
        object.  Raise SimulationError for an async generator.
        """
        if inspect.iscoroutine(made):
            return made
        if inspect.isgenerator(made):
            return _awaiting(made)
        return self._refuse(made) if inspect.isasyncgen(made) else None

    def _refuse(self, made: object) -> NoReturn:
        kind = "an async generator" if inspect.isasyncgen(made) else f"{made!r}"
        raise SimulationError(
            f"{self.comm} is not a program: it returned {kind}; write it as `async def {self.comm}(app)` "
            "without `yield`, or as a generator function that yields its calls"
        )


def is_plain(program: Program) -> bool:
    """Return True for a plain function, which is neither `async def` nor a generator function."""
    program = unwrapped(program)
    return not any(kind(each) for each in (program, type(program).__call__) for kind in KINDS)


def unwrapped(program: Program) -> Program:
    """Return the function that functools.partial objects wrap."""
    while isinstance(program, functools.partial):
        program = program.func
    return program


def name_of(program: Program) -> str:
    """Return the default name of a task that runs `program`."""
    program = unwrapped(program)
    return getattr(program, "__name__", type(program).__name__)


async def _awaiting(program: Generator[object, Any, object]) -> object:
    """Run a generator program as a coroutine: await each yielded call and send its result to the
    generator.
    """
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
        except BaseException as raised:  # noqa: BLE001 - raised in the program, which may handle it
            error = raised
