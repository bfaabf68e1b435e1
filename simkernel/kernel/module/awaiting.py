"""Detection of calls that a module must await but did not await."""

from __future__ import annotations

import inspect
import sys
from collections import deque
from collections.abc import Awaitable, Callable
from functools import wraps
from types import FrameType
from typing import Any, Final, ParamSpec, TypeVar

from simkernel.engine import SimulationError
from simkernel.kernel.lib.stack import locate
from simkernel.kernel.module.module import LoadedModule
from simkernel.kernel.sched.wait import maybe

P = ParamSpec("P")
T = TypeVar("T")

MAX_REMEMBERED: Final = 64


class Calls:
    """A record of the latest calls of driverapi functions whose result must be awaited. Calls are recorded
    only while `run` executes a function of a module. All machines of this Python process share the record.
    """

    def __init__(self) -> None:
        self.runs = 0
        self._made: deque[tuple[object, str, tuple[str, str] | None, int]] = deque(maxlen=MAX_REMEMBERED)

    def remember(self, made: object, name: str, frame: FrameType) -> None:
        """Record a call of the function `name`. `made` is the object that the call returned, usually a
        coroutine. `frame` is the caller's frame.
        """
        self._made.append((made, name, locate(frame), frame.f_lineno))

    def take_lost(self, module: str) -> list[str]:
        """Drop all recorded calls, and return those of `module` that were not awaited.

        Each is returned as a text with the name of the function and the line of the call.
        """
        lost = []
        for made, name, location, line in self._made:
            if location is None or location[0] != module or not inspect.iscoroutine(made):
                continue
            if inspect.getcoroutinestate(made) == inspect.CORO_CREATED:
                lost.append(f"{name} at {location[1]}:{line}")
                made.close()
        self._made.clear()
        return lost


_calls: Final = Calls()


def sleeps(function: Callable[P, Awaitable[T]]) -> Callable[P, Awaitable[T]]:
    """Decorate a function of driverapi whose result must be awaited. If a module does not await the result,
    `run` raises SimulationError.
    """

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> Awaitable[T]:
        made = function(*args, **kwargs)
        if _calls.runs:
            _calls.remember(made, function.__name__, sys._getframe(1))
        return made

    return call


async def run(module: LoadedModule | None, function: Callable[..., Any], *arguments: object) -> Any:
    """Call a plain or `async def` function of a module and return its result.

    Raises SimulationError for a generator function, and for a call that the function did not await.
    """
    _calls.runs += 1
    try:
        result = await maybe(function(*arguments))
        if module is not None and (lost := _calls.take_lost(module.name)):
            raise SimulationError(f"never awaited: {', '.join(lost)}; write `await` before the call")
    finally:
        _calls.runs -= 1
    return result
