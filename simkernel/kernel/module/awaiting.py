"""Calls of a module that have to be awaited, and those that a module forgot to await."""

from __future__ import annotations

import inspect
import sys
from collections import deque
from collections.abc import Awaitable, Callable
from functools import wraps
from types import FrameType
from typing import Any, Final, ParamSpec, TypeVar

from simkernel.engine import SimulationError
from simkernel.kernel.module.module import LoadedModule, locate
from simkernel.kernel.sched.wait import maybe

P = ParamSpec("P")
T = TypeVar("T")

MAX_REMEMBERED: Final = 64


class Calls:
    """The calls made while `run` runs functions of modules, in any machine of the process."""

    def __init__(self) -> None:
        self.runs = 0
        self._made: deque[tuple[object, str, tuple[str, str] | None, int]] = deque(maxlen=MAX_REMEMBERED)

    def remember(self, made: object, name: str, frame: FrameType) -> None:
        """Remember `made`, which the function `name` returned to the code in `frame`."""
        self._made.append((made, name, locate(frame), frame.f_lineno))

    def take_lost(self, module: str) -> list[str]:
        """Forget all calls; the name and the line of each that `module` made and nobody awaited."""
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
    """A function of driverapi whose result has to be awaited: a module that forgets it is told by `run`."""

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> Awaitable[T]:
        made = function(*args, **kwargs)
        if _calls.runs:
            _calls.remember(made, function.__name__, sys._getframe(1))
        return made

    return call


async def run(module: LoadedModule | None, function: Callable[..., Any], *arguments: object) -> Any:
    """Call a function of a module, plain or `async def`; its result.

    SimulationError for a generator function, and for a call that the function made and did not await.
    """
    _calls.runs += 1
    try:
        result = await maybe(function(*arguments))
        if module is not None and (lost := _calls.take_lost(module.name)):
            raise SimulationError(f"never awaited: {', '.join(lost)}; write `await` before the call")
    finally:
        _calls.runs -= 1
    return result
