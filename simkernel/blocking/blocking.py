"""Blocking twins of asynchronous methods: the same name, the same arguments, and the result at once.

    class Blocking:
        getpid = twin(App.getpid)

A class with twins has the asynchronous object as `inside`, and a method `run`.
"""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar

A = TypeVar("A")
P = ParamSpec("P")
T = TypeVar("T")

Run = Callable[[Awaitable[Any]], Any]
"""Drives the clock until an awaitable has its result."""


def twin(method: Callable[Concatenate[A, P], Awaitable[T]]) -> Callable[Concatenate[Any, P], T]:
    """A method that does what `method` of `inside` does, and waits for it."""

    @functools.wraps(method)
    def blocking(self: Any, /, *args: P.args, **kwargs: P.kwargs) -> T:
        result: T = self.run(method(self.inside, *args, **kwargs))
        return result

    return blocking


class TwinIterator(Generic[T]):
    """A blocking iterator over what an asynchronous one has."""

    def __init__(self, run: Run, inside: AsyncIterator[T]) -> None:
        self.run = run
        self._items = inside

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        try:
            item: T = self.run(anext(self._items))
        except StopAsyncIteration:
            raise StopIteration from None
        return item
