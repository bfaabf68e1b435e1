"""What the modules of a hosted program are made of: its system calls, and modules made of functions."""

from __future__ import annotations

import functools
import threading
from collections.abc import Awaitable, Callable, Iterable, Mapping
from types import ModuleType
from typing import Any, NoReturn

from simkernel.blocking.process import Blocking
from simkernel.engine import NotModelled, SimulationError
from simkernel.uapi.errno import os_error


class SystemCalls:
    """Makes the calls of one process, and lets the machine run until each is done."""

    def __init__(self, process: Blocking) -> None:
        self.process = process
        self._thread = threading.get_ident()

    def __call__(self, name: str, *arguments: object) -> Any:
        """The result of a system call; OSError as Python has it."""
        return self.run(self.process.app.call(name, *arguments))

    def run(self, awaitable: Awaitable[Any]) -> Any:
        """The result of a call.  SimulationError in another thread than the one that hosts the program."""
        if threading.get_ident() != self._thread:
            raise SimulationError(f"{awaitable!r}: a hosted program has one thread, the one that hosts it")
        return self.process.run(awaitable)

    def function(self, name: str, paths: int = 0) -> Callable[..., Any]:
        """The method `name` of `App` as a function.

        Its errors name the first `paths` arguments, as those of Python's function do.
        """
        method = getattr(self.process.app, name)

        @functools.wraps(method)
        def function(*arguments: Any, **keywords: Any) -> Any:
            try:
                return self.run(method(*arguments, **keywords))
            except OSError as error:
                if not paths:
                    raise
                raise named(error, *(*arguments, *keywords.values())[:paths]) from None

        return function

    def functions(self, names: Iterable[str], paths: int = 0) -> dict[str, Callable[..., Any]]:
        """Several of them, by name."""
        return {name: self.function(name, paths) for name in names}


def named(error: OSError, path: object, other: object = None) -> OSError:
    """The same error, with the path (or both) that it is about."""
    found = os_error(error.errno or 0)
    found.filename = path
    if other is not None:
        found.filename2 = other
    return found


def module(like: ModuleType, methods: object, names: Iterable[str] = (), **more: Any) -> ModuleType:
    """A module that replaces `like`.

    It has the public methods of `methods`, the attributes in `more`, and of `like` the constants, the classes
    of exceptions and the attributes in `names`.  Any other function of `like` raises NotModelled.
    """
    made = ModuleType(like.__name__, like.__doc__)
    kept = frozenset(names)
    for name, value in vars(like).items():
        if name.startswith("__"):
            continue
        if name in kept or not callable(value) or _is_exception(value):
            setattr(made, name, value)
        else:
            setattr(made, name, _refuse(f"{like.__name__}.{name}"))
    vars(made).update(public(methods))
    vars(made).update(more)
    return made


def public(methods: object) -> Mapping[str, Any]:
    """The public methods of an object, by name."""
    return {
        name: getattr(methods, name)
        for name in dir(methods)
        if not name.startswith("_") and callable(getattr(methods, name))
    }


def _is_exception(value: Any) -> bool:
    return isinstance(value, type) and issubclass(value, BaseException)


def _refuse(what: str) -> Callable[..., NoReturn]:
    def refused(*arguments: Any, **keywords: Any) -> NoReturn:
        raise NotModelled(f"{what} is not modelled for hosted programs")

    return refused
