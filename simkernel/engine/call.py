"""A system call as a program sees it: an object that does nothing until the program awaits it.

    received = await sock.recv(100)      # in an async program
    received = yield sock.recv(100)      # the same call in a generator program

When a task awaits a `Call`, the task enters the kernel.  If the call does not block, `await` returns its
result immediately.  If it blocks, the `Call` is yielded to the loop that runs the program.  A `Call` can
be awaited once.
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
"""Kinds of functions, such as generator functions, whose body does not run when they are called. Each entry
maps the name of a kind to a predicate that recognizes the functions of this kind.
"""

LATER: Final = object()
"""`Owner.enter` returns this marker if the system call has no result yet, for example because the call
blocks. The program gets the result when the call returns.
"""


class Owner(Protocol):
    """The interface of a task whose program awaits a `Call`.

    `enter` performs the call and returns its result, or LATER if it has no result yet.
    """

    enter: Callable[[Call[Any]], Any]


class Call(Generic[T]):
    """One system call: its name, its arguments, and the function that converts its raw result.

    `owner` is the task that may await the call, or None after it has been awaited.  `line` is the line of
    the program that made the call, if it is known.
    """

    # INLINE: simkernel.engine.call.Call.__init__, saves 1.7 % of round-trip
    __slots__ = ("arguments", "convert", "line", "name", "owner")

    owner: Owner | None
    name: str
    arguments: tuple[Any, ...]
    convert: Callable[[Any], T] | None
    line: str

    @property
    def used(self) -> bool:
        """True if the call has been awaited."""
        return self.owner is None

    def __await__(self) -> Generator[Call[T], Any, T]:
        owner = self.owner
        result: T
        if owner is None:
            result = yield self  # already awaited: the loop that runs the program raises the error
            return result
        # CPython calls the instance attribute `enter` faster through a local name.
        enter = owner.enter
        result = enter(self)
        if result is LATER:
            result = yield self
        return result

    def __repr__(self) -> str:
        return f"<call {self.name}>"


def runs_later(function: object) -> str:
    """Return the name of the kind of `function`, such as "a generator function", if its body does not run
    when it is called. Return "" for any other function.
    """
    return next((kind for kind, is_kind in KINDS.items() if is_kind(function)), "")


def drive(awaitable: Awaitable[T], perform: Callable[[Any], Any]) -> T:
    """Run a coroutine that makes system calls, and return the coroutine's result. `perform` executes each
    call and returns the call's result.

    If `perform` raises, the error is raised in the coroutine at the `await`, so that the coroutine can
    clean up.
    """
    if not isinstance(awaitable, Awaitable):
        raise SimulationError(
            f"{awaitable!r} is neither a call nor a coroutine that makes calls: "
            "pass a call, such as app.getpid()"
        )
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
        except BaseException as raised:  # noqa: BLE001 - raised in the coroutine, which may handle it
            error = raised


class Compute(Call[None]):
    """A request to use the CPU in user mode for some time.  It is not a system call."""

    __slots__ = ()

    def __await__(self) -> Generator[Call[None], Any, None]:
        yield self
