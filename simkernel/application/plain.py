"""Programs that are plain functions, neither `async def` nor generators.  Each runs in a greenlet, and its
system calls block.

Theory of operation.  The runner drives a program by `send` and `throw`.  Those of `GreenletProgram` switch
to the greenlet of the function.  A call of the function enters the kernel without a switch, as an awaited
call does (`Call.__await__`).  Only a call that blocks switches back to the runner.
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
    """A program that is a plain function in a greenlet.  It implements `CallRunner` for the function's calls.

    body       the function, without arguments
    on_return  called with the function's result; returns a coroutine that continues the program, or None
    task       the task that runs the program

    The greenlet runs in a copy of the context (contextvars) in which the program was created.
    """

    _current: ClassVar[GreenletProgram | None] = None
    """The program whose function runs now, or None. If the function runs a second machine, `_switch` replaces
    the value by a program of that machine, and then restores it.
    """
    _unfinished: ClassVar[set[GreenletProgram]] = set()
    """Programs that have begun and have not ended. This set keeps references to their greenlets: Python
    raises GreenletExit in a greenlet that has no reference left, which would end the program.
    """

    def __init__(
        self,
        task: Any,
        body: Callable[[], object],
        on_return: Callable[[object], Coroutine[Any, Any, object] | None],
    ) -> None:
        self.task = task
        self.swap: Callable[[], object] | None = None
        """Callback invoked each time the function continues, and each time it stops.  The callback
        swaps the interpreter state that belongs to the task.
        """
        self._on_return = on_return
        self._body = body
        self._signals: list[Callable[[], object]] = []
        self._root = self._paused = greenlet(self._main)
        self._root.gr_context = copy_context()

    # -- called by the runner -----------------------------------------------------------

    def send(self, value: Any) -> Any:
        """Run the function until a call blocks, and return that call.

        Raise StopIteration when the function returns.
        """
        return self._switch(value, None)

    def throw(self, error: Any, *_: Any) -> Any:
        """Raise an error in the blocked call of the function, then run the function as `send` does."""
        if not self._root:  # the function has not begun or has ended, so no call is blocked
            raise error
        return self._switch(None, error)

    def defer(self, handler: Callable[[], object]) -> None:
        """Queue a signal handler of the program.  It runs before the program's blocked call returns.

        The handler runs in the greenlet of the function, so it can make calls that block.
        """
        self._signals.append(handler)

    def _switch(self, value: Any, error: Any) -> Any:
        root = self._root
        root.parent = getcurrent()  # this greenlet continues when the function blocks or ends
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

    # -- called in the greenlet -------------------------------------------------------

    def _main(self, *_: object) -> object:
        try:
            return self._body()
        except StopIteration as stop:  # for the caller of send(), StopIteration is the end of the program
            raise RuntimeError("program raised StopIteration") from stop

    def run(self, awaitable: Awaitable[T]) -> T:
        """Block until a call, or a coroutine that makes calls, is done, and return its result."""
        call: Any = awaitable
        if type(call) is Call and call.owner is not None:
            result: T = call.owner.enter(call)
            return self._wait(call) if result is LATER else result
        return drive(awaitable, self._wait)

    def _wait(self, request: Any) -> Any:
        """Return control to the caller of `send` or `throw` until `request` is done. Then return the result
        of `request` or raise its error.
        """
        if GreenletProgram._current is not self:
            request.owner = None  # this error is enough: do not report the call as never awaited, too
            raise SimulationError(
                f"{request!r} belongs to {self.task.track}, which is not running: "
                "a program makes its calls with its own app"
            )
        # not always `_root`: the function can start further greenlets, and these can make calls, too
        self._paused = getcurrent()
        value, error = self._root.parent.switch(request)
        while self._signals and not isinstance(error, GeneratorExit):
            self._signals.pop(0)()
        if error is not None:
            raise error
        return value


def perform(task: Any, awaitable: Awaitable[T]) -> T | Awaitable[T]:
    """If the running program belongs to `task` and is a plain function, run `awaitable` and return its
    result. Otherwise return `awaitable`.
    """
    program = GreenletProgram._current
    return awaitable if program is None or program.task is not task else program.run(awaitable)


def leave() -> Callable[[], None]:
    """Set the current program to None, because the running greenlet is about to pause.  Return a function
    that restores the program.
    """
    program, GreenletProgram._current = GreenletProgram._current, None
    swap = None if program is None else program.swap
    if swap is not None:
        swap()

    def back() -> None:
        if swap is not None:
            swap()
        GreenletProgram._current = program

    return back
