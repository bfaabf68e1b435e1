"""The end of a hosted program: run its atexit functions and close its files while its process is alive.

Automatic garbage collection is disabled during a hosted program: finalizers of files make system calls, whose
instant would differ from run to run.  `SystemCalls` collects after every COLLECT_EVERY calls.
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
"""For each running hosted program, True if garbage collection was enabled before it."""


class Ending:
    """The atexit functions and open files of a hosted program."""

    def __init__(self) -> None:
        self._functions: list[tuple[Callable[..., object], Any, Any]] = []
        self._files: WeakValueDictionary[int, Any] = WeakValueDictionary()
        self._number = count()

    def atexit_module(self) -> ModuleType:
        """Return an `atexit` module, whose functions run at the end of the hosted program."""

        def register(function: Any, /, *arguments: Any, **keywords: Any) -> Any:
            self._functions.append((function, arguments, keywords))
            return function

        def unregister(function: object, /) -> None:
            self._functions = [each for each in self._functions if each[0] != function]

        return Facade(atexit, register=register, unregister=unregister)

    def closing(self, kind: type) -> type:
        """Return a subclass of the io class `kind`.  Its objects are closed at the end of the program."""
        files, number = self._files, self._number

        def initialize(file: Any, *arguments: Any, **keywords: Any) -> None:
            super(made, file).__init__(*arguments, **keywords)
            files[next(number)] = file

        made: Any = type(kind.__name__, (kind,), {"__init__": initialize, "__module__": "io"})
        return made  # type: ignore[no-any-return]

    @contextmanager
    def at_end(self) -> Iterator[None]:
        """Run the functions and close the files after the body."""
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
