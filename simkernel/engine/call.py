"""A system call as a program sees it: a lazy request, used once, acting when awaited.

    received = await sock.recv(100)      # in an async program
    received = yield sock.recv(100)      # the same in a generator program

Making a call does nothing; awaiting it lets its task enter the kernel.  What is done at once comes back
at once; what is not is yielded to whoever drives the program.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Generator
from typing import Any, Final, Generic, Protocol, TypeVar

from simkernel.engine.errors import SimulationError

T = TypeVar("T")

KINDS: Final[dict[str, Callable[[Any], bool]]] = {
    "a coroutine function": inspect.iscoroutinefunction,
    "a generator function": inspect.isgeneratorfunction,
    "an async generator function": inspect.isasyncgenfunction,
}
"""Predicates for functions whose body does not run when they are called, by name."""

LATER: Final = object()
"""Instead of a result: whoever drives the program has it when it is there."""


class Owner(Protocol):
    """Who may await a call: a task.  `enter` is its result or error, or LATER."""

    enter: Callable[[Call[Any]], Any]


class Call(Generic[T]):
    """One system call: its name and arguments, and what makes a result of its raw result.

    `owner` is whoever may await it (a task), and nobody once it has been awaited.  `line` is where in the
    program it was made, if that is known.
    """

    # INLINE: simkernel.engine.call.Call.__init__, 1.7 % of round-trip
    __slots__ = ("arguments", "convert", "line", "name", "owner")

    owner: Owner | None
    name: str
    arguments: tuple[Any, ...]
    convert: Callable[[Any], T] | None
    line: str

    @property
    def used(self) -> bool:
        """Whether it has been awaited."""
        return self.owner is None

    def __await__(self) -> Generator[Call[T], Any, T]:
        owner = self.owner
        result: T
        if owner is None:
            result = yield self  # it was awaited before, as whoever drives the program will say
            return result
        enter = owner.enter  # a step less than owner.enter(self), as it is no method
        result = enter(self)
        if result is LATER:
            result = yield self
        return result

    def __repr__(self) -> str:
        return f"<call {self.name}>"


def runs_later(function: object) -> str:
    """Return the kind of a function whose body does not run when it is called; "" for any other."""
    return next((kind for kind, is_kind in KINDS.items() if is_kind(function)), "")


def drive(awaitable: Awaitable[T], perform: Callable[[Any], Any]) -> T:
    """Run a coroutine that makes calls and return its result; `perform` returns the result of each call.

    An error of a call is raised where the call was awaited, so that the coroutine can clean up.
    """
    if not isinstance(awaitable, Awaitable):
        raise SimulationError(f"{awaitable!r} is neither a call nor a coroutine that makes calls")
    steps = awaitable.__await__()
    value: Any = None
    error: BaseException | None = None
    while True:
        try:
            request = steps.send(value) if error is None else steps.throw(error)
        except StopIteration as stop:
            result: T = stop.value
            return result
        value, error = None, None
        try:
            value = perform(request)
        except BaseException as raised:  # noqa: BLE001 - it is the coroutine's to handle
            error = raised


class Compute(Call[None]):
    """The one request that is no system call: a program uses its CPU, in user mode."""

    __slots__ = ()

    def __await__(self) -> Generator[Call[None], Any, None]:
        yield self
