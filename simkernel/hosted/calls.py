"""What the modules of a hosted program are made of: its system calls, and modules made of methods."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
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

    def __call__(self, name: str, *arguments: Any) -> Any:
        """The result of a system call; OSError as Python has it."""
        if threading.get_ident() != self._thread:
            raise SimulationError(f"{name}: a hosted program has one thread, the one that hosts it")
        return self.process.run(self.process.app.call(name, *arguments))

    def on_path(self, name: str, path: Any, *arguments: Any, other: Any = None) -> Any:
        """A call about a path: its error names the path, as Python's does."""
        try:
            return self(name, *arguments)
        except OSError as error:
            raise named(error, path, other) from None


def named(error: OSError, path: Any, other: Any = None) -> OSError:
    """The same error, with the path (or both) that it is about."""
    found = os_error(error.errno or 0)
    found.filename = path
    if other is not None:
        found.filename2 = other
    return found


def descriptor(what: Any) -> int:
    """The descriptor that an int or an object with `fileno()` stands for.  TypeError, ValueError."""
    fd = what if isinstance(what, int) else what.fileno() if hasattr(what, "fileno") else None
    if not isinstance(fd, int):
        raise TypeError("argument must be an int, or have a fileno() method.")
    if fd < 0:
        raise ValueError(f"file descriptor cannot be a negative integer ({fd})")
    return int(fd)


def module(like: ModuleType, methods: object, names: Iterable[str] = (), **more: Any) -> ModuleType:
    """A module that stands for `like`.

    It has the public methods of `methods`, what is in `more`, and of `like` the constants, the classes of
    exceptions and what `names` says.  What else `like` has raises NotModelled when it is called.
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
