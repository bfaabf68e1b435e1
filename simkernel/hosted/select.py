"""The `select` module of a hosted program: select(), poll and epoll objects (Modules/selectmodule.c)."""

from __future__ import annotations

import select as real
from functools import partial
from types import ModuleType
from typing import Any

from simkernel.application.arguments import descriptor
from simkernel.application.epoll import Epoll
from simkernel.blocking.epoll import BlockingEpoll
from simkernel.hosted.calls import ProcessCalls, module
from simkernel.uapi.poll import POLLIN, POLLOUT, POLLPRI


class Poll:
    """A poll object, as `select.poll()` returns."""

    def __init__(self, call: ProcessCalls) -> None:
        self._call = call
        self._watched: dict[int, int] = {}

    def register(self, fd: Any, eventmask: int = POLLIN | POLLPRI | POLLOUT, /) -> None:
        """Register a descriptor, and the events to report for it."""
        self._watched[descriptor(fd)] = eventmask

    def modify(self, fd: Any, eventmask: int, /) -> None:
        """Change the events of a registered descriptor.  Raise FileNotFoundError if it is not registered."""
        if descriptor(fd) not in self._watched:
            raise FileNotFoundError(2, "No such file or directory")
        self._watched[descriptor(fd)] = eventmask

    def unregister(self, fd: Any, /) -> None:
        """Remove a registered descriptor.  Raise KeyError if it is not registered."""
        del self._watched[descriptor(fd)]

    def poll(self, timeout: float | None = None, /) -> list[tuple[int, int]]:
        """Wait at most `timeout` milliseconds and return a (descriptor, events) pair for each ready
        descriptor.
        """
        app = self._call.process.app
        found: list[tuple[int, int]] = self._call.run(app.poll(self._watched.items(), timeout))
        return found


class EPoll(BlockingEpoll):
    """An epoll object of a hosted program.  `select_module` makes a subclass for each process."""

    _call: ProcessCalls

    def __init__(self, sizehint: int = -1, flags: int = 0) -> None:
        call = self._call
        flags = flags or real.EPOLL_CLOEXEC
        super().__init__(call.run, call.run(call.process.app.epoll(sizehint, flags)))

    @classmethod
    def fromfd(cls, fd: int, /) -> EPoll:
        """Return an epoll object for an open descriptor."""
        made = cls.__new__(cls)
        BlockingEpoll.__init__(made, cls._call.run, Epoll(cls._call.process.app, fd))
        return made


def select_module(call: ProcessCalls) -> ModuleType:
    """Return the `select` module of one process."""
    epoll = type("epoll", (EPoll,), {"__module__": "select", "_call": call})
    # The module selectors stores `poll` as a class attribute. There, a function would become a method; a
    # partial object does not.
    poll = partial(Poll, call)
    return module(real, None, select=call.function("select"), poll=poll, epoll=epoll, error=OSError)
