"""Plain functions as programs: a greenlet whose calls block.

Theory of operation.  The runner drives a program by `send` and `throw`, which `GreenletProgram` offers over a
greenlet: each switches to the function.  The function's call enters the kernel in place, as an awaited call
does (`Call.__await__`).  Only a call that is not done at once switches back to the runner.
"""

from __future__ import annotations

import operator
from collections.abc import Awaitable, Callable, Coroutine
from contextvars import copy_context
from typing import Any, ClassVar, TypeVar

from greenlet import getcurrent, greenlet

from simkernel.engine import LATER, Call, SimulationError, drive

T = TypeVar("T")


class GreenletProgram:
    """A function in a greenlet, for the runner; and the runner of the function's calls.

    body        the function, without arguments
    on_return   gets what the function returns; makes the coroutine that goes on with the program, or None
    task        the task that runs the program

    The greenlet has a copy of its spawner's context (contextvars).
    """

    _current: ClassVar[GreenletProgram | None] = None
    """The program whose greenlet runs: the innermost, if a program ends another."""
    _unfinished: ClassVar[set[GreenletProgram]] = set()
    """Programs that have begun: Python would raise GreenletExit in one that it collects, at any moment."""

    def __init__(
        self,
        task: Any,
        body: Callable[[], object],
        on_return: Callable[[object], Coroutine[Any, Any, object] | None],
    ) -> None:
        self.task = task
        self.swap: Callable[[], object] | None = None
        """Callback invoked at each switch to and from the function, to exchange the interpreter's state."""
        self._on_return = on_return
        self._body = body
        self._signals: list[Callable[[], object]] = []
        self._root = self._paused = greenlet(self._main)
        self._root.gr_context = copy_context()

    # -- what the runner calls --------------------------------------------------------

    def send(self, value: Any) -> Any:
        """Run the function until a call is not done at once; returns that call.  StopIteration at the end."""
        return self._switch(value, None)

    def throw(self, error: Any, *_: Any) -> Any:
        """Raise an error where the function waits, and run it as `send` does."""
        if not self._root:  # it has not begun, or it has ended
            raise error
        return self._switch(None, error)

    def defer(self, handler: Callable[[], object]) -> None:
        """Let the function run a signal's handler before its call returns: there the handler can block."""
        self._signals.append(handler)

    def _switch(self, value: Any, error: Any) -> Any:
        root = self._root
        root.parent = getcurrent()  # where the greenlet returns to: the runner may itself run in a greenlet
        self._unfinished.add(self)
        before, GreenletProgram._current = GreenletProgram._current, self
        if self.swap is not None:
            self.swap()
        try:
            request = self._paused.switch(value, error)
        finally:
            if self.swap is not None:
                self.swap()
            GreenletProgram._current = before
            if root.dead:
                self._unfinished.discard(self)
        if not root.dead:
            return request
        coroutine = self._on_return(request)
        if coroutine is None:
            raise StopIteration
        vars(self).update(send=coroutine.send, throw=coroutine.throw, defer=operator.call)
        return coroutine.send(None)

    # -- in the greenlet --------------------------------------------------------------

    def _main(self, *_: object) -> object:
        try:
            return self._body()
        except StopIteration as stop:  # to the runner it is a return, as in a generator (PEP 479)
            raise RuntimeError("program raised StopIteration") from stop

    def run(self, awaitable: Awaitable[T]) -> T:
        """Block until a call has its result, or a coroutine that makes calls."""
        call: Any = awaitable
        if type(call) is Call and call.owner is not None:
            result: T = call.owner.enter(call)
            return self._wait(call) if result is LATER else result
        return drive(awaitable, self._wait)

    def _wait(self, request: Any) -> Any:
        """Switch to the runner until a call is done."""
        if GreenletProgram._current is not self:
            request.owner = None  # it is reported here, and not as never awaited
            raise SimulationError(
                f"{request!r} belongs to {self.task.track}, which does not run now: "
                "a program makes its calls by its own app"
            )
        self._paused = getcurrent()  # a program may have greenlets of its own
        value, error = self._root.parent.switch(request)
        while self._signals and not isinstance(error, GeneratorExit):
            self._signals.pop(0)()
        if error is not None:
            raise error
        return value
