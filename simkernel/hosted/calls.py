"""Helpers for the modules of a hosted program.  They make Python functions from system calls, and modules
from these functions.
"""

from __future__ import annotations

import functools
import gc
import sys
import threading
from collections.abc import Awaitable, Callable, Iterable, Mapping
from itertools import count
from types import FrameType, ModuleType
from typing import Any, ClassVar, Final, NoReturn

from simkernel.blocking.process import Blocking
from simkernel.engine import NotModelled, SimulationError
from simkernel.uapi.errno import os_error

DISPLAYED: Final = {"posix": "os", "_ssl": "ssl", "_multiprocessing": "multiprocessing", "_socket": "socket"}
"""For each C module, the public module that exports its functions."""
COLLECT_EVERY: Final = 1000
"""Number of system calls between two garbage collections.  Python's automatic garbage collection is disabled
(ending.py).
"""


class ProcessCalls:
    """Makes the system calls of one process.  It runs the machine until each call is done."""

    _collects: ClassVar = False
    """True during a garbage collection. System calls that finalizers make are then queued, because an object
    that the collector frees can belong to any process.
    """

    def __init__(self, process: Blocking) -> None:
        self.process = process
        self._deferred: list[Any] = []
        self._calls = 0
        self._thread = threading.get_ident()

    def __call__(self, name: str, *arguments: object) -> Any:
        """Make a system call and return its result.  Raise OSError as Python does."""
        return self.run(self.process.app.call(name, *arguments))

    def run(self, awaitable: Awaitable[Any]) -> Any:
        """Make a call and return its result. Raise SimulationError if the current host thread is not the
        thread that made this object.
        """
        if threading.get_ident() != self._thread:
            raise SimulationError(
                f"{awaitable!r}: a hosted program can make calls only in the thread of hosted()"
            )
        if ProcessCalls._collects:
            return self.defer(awaitable)
        self._calls += 1
        if not self._calls % COLLECT_EVERY:
            ProcessCalls._collects = True
            gc.collect(1)
            ProcessCalls._collects = False
        try:
            while self._deferred:
                deferred = self._deferred.pop(0)
                if hasattr(deferred, "owner"):
                    deferred.owner = (
                        self.process.task
                    )  # a finalizer in another thread of the process may have queued the call
                self.process.run(deferred)
            return self.process.run(awaitable)
        except SimulationError:
            if self.process.task.alive or not _finalizes():
                raise
            return None  # the process has ended, so the call of a finalizer has no effect

    def defer(self, call: Any) -> int | None:
        """Queue a system call that a finalizer makes.  It runs before the process's next call.

        Return the number of bytes that a write would return, or None for another call.
        """
        self._deferred.append(call)
        return len(call.arguments[1]) if getattr(call, "name", "") in ("write", "sendto") else None

    def function(self, name: str, paths: int = 0) -> Callable[..., Any]:
        """Return the method `name` of `App` as a function.

        Its errors have the first `paths` arguments as `filename` and `filename2`, as in the os module.
        """
        method = getattr(self.process.app, name)

        def function(*arguments: Any, **keywords: Any) -> Any:
            try:
                return self.run(method(*arguments, **keywords))
            except OSError as error:
                if not paths:
                    raise
                raise named(error, *(*arguments, *keywords.values())[:paths]) from None

        # Return a partial object: a plain function would become a method if a program stores it in a class.
        return functools.update_wrapper(functools.partial(function), method)

    def functions(self, names: Iterable[str], paths: int = 0) -> dict[str, Callable[..., Any]]:
        """Return several methods of `App` as functions, by name."""
        return {name: self.function(name, paths) for name in names}


def _finalizes() -> bool:
    """Return True if a `__del__` method is on the call stack."""
    frame: FrameType | None = sys._getframe()
    while frame is not None and frame.f_code.co_name != "__del__":
        frame = frame.f_back
    return frame is not None


def named(error: OSError, path: object, other: object = None) -> OSError:
    """Return a copy of `error` with `path` as its `filename`, and `other`, if given, as its `filename2`."""
    found = os_error(error.errno or 0)
    found.filename = path
    if other is not None:
        found.filename2 = other
    return found


def module(like: ModuleType, methods: object, names: Iterable[str] = (), **more: Any) -> ModuleType:
    """Return the module that replaces a module of Python in a hosted program. The argument `like` is Python's
    module.

    It has the public methods of `methods` and the attributes in `more`. It shares with `like` the constants,
    the exception classes and the attributes in `names`. Other functions and classes raise NotModelled.
    """
    made = ModuleType(like.__name__, like.__doc__)
    kept = frozenset(names)
    for name, value in vars(like).items():
        if name.startswith("__"):
            continue
        if name in kept or not callable(value) or _is_exception(value):
            setattr(made, name, value)
        else:
            setattr(made, name, refuse(f"{DISPLAYED.get(like.__name__, like.__name__)}.{name}", value))
    vars(made).update(public(methods))
    vars(made).update(more)
    return made


def numbered(kind: Any) -> Any:
    """Give a class a `__hash__` that returns a serial number of the object, and return the class.

    The default hash is the address, so the order of a set would differ from run to run.
    """
    numbers = count()

    def number(self: Any) -> int:
        try:
            found: int = self._number
        except AttributeError:
            found = self._number = next(numbers)
        return found

    kind.__hash__ = number
    return kind


def public(methods: object) -> Mapping[str, Any]:
    """Return the public methods of an object, by name."""
    return {
        name: getattr(methods, name)
        for name in dir(methods)
        if not name.startswith("_") and callable(getattr(methods, name))
    }


def _is_exception(value: Any) -> bool:
    return isinstance(value, type) and issubclass(value, BaseException)


def refuse(what: str, like: object = None) -> Any:
    """Return a function that raises NotModelled. If the argument `like` is a class, return a class instead.
    It has the int and str attributes of the original class, and raises NotModelled when it is called.
    """

    def refused(*arguments: Any, **keywords: Any) -> NoReturn:
        raise NotModelled(f"{what} is not modelled and would act on the host: hosted packages cannot use it")

    if not isinstance(like, type):
        return refused
    constants = {name: value for name, value in vars(like).items() if isinstance(value, int | str)}
    return type(like.__name__, (), {**constants, "__new__": refused})


class Facade(ModuleType):
    """A module that wraps another module. It has the attributes in `own`. All other attributes are read from
    and written to the wrapped module, the argument `like`.
    """

    def __new__(cls, like: Any, *arguments: Any, **own: Any) -> Any:
        """Return a module that wraps the module given by the argument `like`. If this argument is a str,
        return a new plain module with this name.

        The standard library creates plain modules with `type(sys)(name)`.
        """
        return ModuleType(like, *arguments) if isinstance(like, str) else super().__new__(cls)

    def __init__(self, like: ModuleType, **own: Any) -> None:
        super().__init__(like.__name__, like.__doc__)
        names = getattr(like, "__all__", [name for name in dir(like) if not name.startswith("_")])
        vars(self).update(own, _like=like, __all__=names)  # for `from ... import *`

    def __getattr__(self, name: str) -> Any:
        return getattr(vars(self)["_like"], name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in vars(self):
            super().__setattr__(name, value)
        else:
            setattr(self._like, name, value)

    def __dir__(self) -> list[str]:
        return sorted({*dir(self._like), *vars(self)})
