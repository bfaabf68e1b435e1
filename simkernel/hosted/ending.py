"""The end of a hosted program: run its atexit functions and close its files while its process still runs.

Automatic garbage collection is disabled while a hosted program runs.  A finalizer of a file makes system
calls, and the time of automatic collections differs from run to run.  `ProcessCalls` collects every
COLLECT_EVERY calls.
"""

from __future__ import annotations

import atexit
import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from types import ModuleType
from typing import Any, Final
from weakref import WeakValueDictionary

from simkernel.hosted.calls import Facade

ENABLED: Final[list[bool]] = []
"""For each running hosted program, True if automatic garbage collection was enabled before it started."""


class Ending:
    """The registered atexit functions and the open files of a hosted program."""

    def __init__(self) -> None:
        self._functions: list[tuple[Callable[..., object], Any, Any]] = []
        self._files: WeakValueDictionary[int, Any] = WeakValueDictionary()
        self._number = count()

    def atexit_module(self) -> ModuleType:
        """Return an `atexit` module.  Functions registered with it run when the hosted program ends."""

        def register(function: Any, /, *arguments: Any, **keywords: Any) -> Any:
            self._functions.append((function, arguments, keywords))
            return function

        def unregister(function: object, /) -> None:
            self._functions = [each for each in self._functions if each[0] != function]

        return Facade(atexit, register=register, unregister=unregister)

    def closing(self, kind: type) -> type:
        """Return a subclass of an io class.  Its objects are closed when the hosted program ends."""
        files, number = self._files, self._number

        def initialize(file: Any, *arguments: Any, **keywords: Any) -> None:
            super(made, file).__init__(*arguments, **keywords)
            files[next(number)] = file

        made: Any = type(kind.__name__, (kind,), {"__init__": initialize, "__module__": "io"})
        return made  # type: ignore[no-any-return]

    @contextmanager
    def at_end(self) -> Iterator[None]:
        """Run the body of the `with` statement, then call the atexit functions and close the files."""
        ENABLED.append(gc.isenabled())
        gc.disable()
        try:
            yield
        finally:
            while self._functions:
                function, arguments, keywords = self._functions.pop()
                function(*arguments, **keywords)
            for _, file in sorted(self._files.items(), reverse=True):
                with suppress(OSError, ValueError):
                    file.close()
            collects = any(ENABLED)
            ENABLED.pop()
            if collects and not ENABLED:
                gc.enable()
