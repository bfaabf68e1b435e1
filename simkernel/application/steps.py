"""Methods that make several calls, as lazy as one call is.

    @lazily
    async def join(self, group: str) -> None: ...

Nothing happens before the result is awaited, and if it never is, the program hears of that as of any
call (`App.never_awaited`).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Coroutine, Generator
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, Protocol, TypeVar

from simkernel.engine import SimulationError

if TYPE_CHECKING:
    from simkernel.application.app import App

P = ParamSpec("P")
T = TypeVar("T")


class Steps(Generic[T]):
    """Several calls under one name, to be awaited once."""

    __slots__ = ("_begin", "line", "name", "owner")

    line: str

    def __init__(self, owner: object, name: str, begin: Callable[[], Coroutine[Any, Any, T]]) -> None:
        self._begin = begin
        self.name = name
        self.owner: object | None = owner
        """Whoever makes the calls, and nobody once they have been awaited (as `Call.owner`)."""

    def __await__(self) -> Generator[Any, Any, T]:
        if self.owner is None:
            raise SimulationError(f"{self!r} was awaited twice: make the call anew each time")
        self.owner = None
        return self._begin().__await__()

    def __repr__(self) -> str:
        return f"<calls {self.name}>"


class HasApp(Protocol):
    """What belongs to a program."""

    @property
    def _app(self) -> App: ...


S = TypeVar("S", bound=HasApp)


def lazily(
    method: Callable[Concatenate[S, P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate[S, P], Steps[T]]:
    """A method that begins when its result is awaited."""

    @functools.wraps(method)
    def make(self: S, /, *args: P.args, **kwargs: P.kwargs) -> Steps[T]:
        app = self._app
        return app.made(Steps(app.owner, method.__name__, lambda: method(self, *args, **kwargs)))

    return make
