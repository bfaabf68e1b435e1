"""Blocking versions of asynchronous methods.  A blocking method has the name and the arguments of the
asynchronous one, and returns its result.

    class Blocking:
        getpid = blocking(App.getpid)

A class with blocking methods keeps the asynchronous object as `wrapped`, and has a method `run`.
"""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, Protocol, TypeVar

if TYPE_CHECKING:
    from simkernel.kernel.vfs.task import Task

A = TypeVar("A")
P = ParamSpec("P")
T = TypeVar("T")

Run = Callable[[Awaitable[Any]], Any]
"""A function that blocks until an awaitable is done and returns its result."""


class CallRunner(Protocol):
    """An object that makes system calls of a simulated task, and blocks the caller until each call is done:
    `SyncRunner` or `GreenletProgram`.
    """

    @property
    def task(self) -> Task:
        """The simulated task that makes the system calls."""
        ...

    def run(self, awaitable: Awaitable[T], /) -> T:
        """Perform a system call, or run a coroutine that makes system calls.  Return the result."""
        ...


def blocking(method: Callable[Concatenate[A, P], Awaitable[T]]) -> Callable[Concatenate[Any, P], T]:
    """Return a blocking method. It calls the asynchronous `method` of `self.wrapped`, and blocks until the
    result is available.
    """

    @functools.wraps(method)
    def call(self: Any, /, *args: P.args, **kwargs: P.kwargs) -> T:
        result: T = self.run(method(self.wrapped, *args, **kwargs))
        return result

    return call


class BlockingIterator(Generic[T]):
    """A blocking iterator over the items of an asynchronous iterator."""

    def __init__(self, run: Run, items: AsyncIterator[T]) -> None:
        self.run = run
        self._items = items

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        try:
            item: T = self.run(anext(self._items))
        except StopAsyncIteration:
            raise StopIteration from None
        return item
