"""`select` of a hosted program: select(), poll objects and epoll objects (Modules/selectmodule.c)."""

from __future__ import annotations

import select as real
from functools import partial
from types import ModuleType
from typing import Any

from simkernel.application.arguments import descriptor
from simkernel.application.epoll import Epoll
from simkernel.blocking.epoll import BlockingEpoll
from simkernel.hosted.calls import SystemCalls, module
from simkernel.uapi.poll import POLLIN, POLLOUT, POLLPRI


class Poll:
    """As `select.poll()`."""

    def __init__(self, call: SystemCalls) -> None:
        self._call = call
        self._watched: dict[int, int] = {}

    def register(self, fd: Any, eventmask: int = POLLIN | POLLPRI | POLLOUT, /) -> None:
        """Watch a descriptor."""
        self._watched[descriptor(fd)] = eventmask

    def modify(self, fd: Any, eventmask: int, /) -> None:
        """Watch it for something else.  FileNotFoundError if it is not watched."""
        if descriptor(fd) not in self._watched:
            raise FileNotFoundError(2, "No such file or directory")
        self._watched[descriptor(fd)] = eventmask

    def unregister(self, fd: Any, /) -> None:
        """Watch it no more.  KeyError if it is not watched."""
        del self._watched[descriptor(fd)]

    def poll(self, timeout: float | None = None, /) -> list[tuple[int, int]]:
        """(descriptor, events) of those that have any; waits up to `timeout` milliseconds."""
        app = self._call.process.app
        found: list[tuple[int, int]] = self._call.run(app.poll(self._watched.items(), timeout))
        return found


class EPoll(BlockingEpoll):
    """As `select.epoll`, but for the process that it belongs to (see `select_module`)."""

    _call: SystemCalls

    def __init__(self, sizehint: int = -1, flags: int = 0) -> None:
        call = self._call
        flags = flags or real.EPOLL_CLOEXEC
        super().__init__(call.run, call.run(call.process.app.epoll(sizehint, flags)))

    @classmethod
    def fromfd(cls, fd: int, /) -> EPoll:
        """An epoll object for a descriptor that is open."""
        made = cls.__new__(cls)
        BlockingEpoll.__init__(made, cls._call.run, Epoll(cls._call.process.app, fd))
        return made


def select_module(call: SystemCalls) -> ModuleType:
    """`select` for one process."""
    epoll = type("epoll", (EPoll,), {"__module__": "select", "_call": call})
    poll = partial(Poll, call)  # not a function: selectors makes it an attribute of a class
    return module(real, None, select=call.function("select"), poll=poll, epoll=epoll, error=OSError)
