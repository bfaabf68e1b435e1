"""Methods that make several calls and start only when their result is awaited.

    @lazy
    async def join(self, group: str) -> None: ...

A single system call is lazy as well.  If the result is never awaited, the program's task reports it
(`Caller.never_awaited`).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Coroutine, Generator
from typing import Any, Concatenate, Generic, ParamSpec, Protocol, TypeVar

from simkernel.application.caller import Caller
from simkernel.engine import SimulationError

P = ParamSpec("P")
T = TypeVar("T")


class LazyCoroutine(Generic[T]):
    """An awaitable for a method that makes several system calls.  It can be awaited once."""

    __slots__ = ("_begin", "line", "name", "owner")

    line: str

    def __init__(self, owner: object, name: str, begin: Callable[[], Coroutine[Any, Any, T]]) -> None:
        self._begin = begin
        self.name = name
        self.owner: object | None = owner
        """The task that makes the calls, or None after this object was awaited."""

    def __await__(self) -> Generator[Any, Any, T]:
        if self.owner is None:
            raise SimulationError(f"{self!r} was awaited twice: make the call anew each time")
        self.owner = None
        return self._begin().__await__()

    def __repr__(self) -> str:
        return f"<calls {self.name}>"


class HasCaller(Protocol):
    """An object whose methods make system calls with the `Caller` of a program."""

    @property
    def _app(self) -> Caller: ...


S = TypeVar("S", bound=HasCaller)


def lazy(
    method: Callable[Concatenate[S, P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate[S, P], LazyCoroutine[T]]:
    """Return a method that returns a LazyCoroutine.  The body of `method` starts when the LazyCoroutine is
    awaited.
    """

    @functools.wraps(method)
    def make(self: S, /, *args: P.args, **kwargs: P.kwargs) -> LazyCoroutine[T]:
        app = self._app
        return app.made(LazyCoroutine(app.owner, method.__name__, lambda: method(self, *args, **kwargs)))

    return make
