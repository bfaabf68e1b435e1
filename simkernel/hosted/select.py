"""`select` of a hosted program: select(), poll objects and epoll objects (Modules/selectmodule.c)."""

from __future__ import annotations

import select as real
from collections.abc import Iterable
from types import ModuleType
from typing import Any, Final

from simkernel.engine import nanoseconds_up
from simkernel.hosted.calls import SystemCalls, descriptor, module
from simkernel.uapi.eventpoll import EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLL_CTL_MOD
from simkernel.uapi.poll import POLLIN, POLLOUT, POLLPRI

MOST: Final = 1023
"""Events that epoll's poll() gives at most where it is not told (FD_SETSIZE - 1)."""

Sets = tuple[list[Any], list[Any], list[Any]]


class Select:
    """The functions of the module."""

    def __init__(self, call: SystemCalls) -> None:
        self._call = call

    def select(
        self,
        rlist: Iterable[Any],
        wlist: Iterable[Any],
        xlist: Iterable[Any],
        timeout: float | None = None,
        /,
    ) -> Sets:
        """Those of each list that are ready; waits up to `timeout` seconds."""
        lists = tuple(list(each) for each in (rlist, wlist, xlist))
        if timeout is not None and timeout < 0:
            raise ValueError("timeout must be non-negative")
        sets = tuple([descriptor(each) for each in items] for items in lists)
        ns = None if timeout is None else nanoseconds_up(timeout)
        ready = self._call("select", sets, ns)
        return tuple(  # type: ignore[return-value]
            [each for each in items if descriptor(each) in found]
            for items, found in zip(lists, ready, strict=True)
        )

    def poll(self) -> Poll:
        """A poll object."""
        return Poll(self._call)


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
        ns = None if timeout is None or timeout < 0 else nanoseconds_up(timeout, 1_000_000)
        found: list[tuple[int, int]] = self._call("poll", list(self._watched.items()), ns)
        return found


class EPoll:
    """As `select.epoll`, but for the process that it belongs to (see `epoll_class`)."""

    _call: SystemCalls

    def __init__(self, sizehint: int = -1, flags: int = 0) -> None:
        if sizehint != -1 and sizehint <= 0:
            raise ValueError("negative sizehint")
        self._fd: int = self._call("epoll_create1", flags or real.EPOLL_CLOEXEC)

    @classmethod
    def fromfd(cls, fd: int, /) -> EPoll:
        """One for a descriptor that is open."""
        made = cls.__new__(cls)
        made._fd = fd
        return made

    def __enter__(self) -> EPoll:
        self._open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def closed(self) -> bool:
        """Whether it is closed."""
        return self._fd < 0

    def fileno(self) -> int:
        """Its own descriptor."""
        return self._open()

    def close(self) -> None:
        """Close it; harmless when it is."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            self._call("close", fd)

    def register(self, fd: Any, eventmask: int = POLLIN | POLLPRI | POLLOUT) -> None:
        """Watch a descriptor.  FileExistsError if it is watched."""
        self._control(EPOLL_CTL_ADD, fd, eventmask)

    def modify(self, fd: Any, eventmask: int) -> None:
        """Watch it for something else.  FileNotFoundError if it is not watched."""
        self._control(EPOLL_CTL_MOD, fd, eventmask)

    def unregister(self, fd: Any) -> None:
        """Watch it no more.  FileNotFoundError if it is not watched."""
        self._control(EPOLL_CTL_DEL, fd, 0)

    def poll(self, timeout: float | None = None, maxevents: int = -1) -> list[tuple[int, int]]:
        """(descriptor, events) of those that have any; waits up to `timeout` seconds."""
        if maxevents == 0 or maxevents < -1:
            raise ValueError(f"maxevents must be greater than 0, got {maxevents}")
        ns = None if timeout is None or timeout < 0 else nanoseconds_up(timeout)
        found = self._call("epoll_wait", self._open(), MOST if maxevents == -1 else maxevents, ns)
        return [(data, events) for events, data in found]

    def _control(self, operation: int, fd: Any, events: int) -> None:
        number = descriptor(fd)
        self._call("epoll_ctl", self._open(), operation, number, events, number)

    def _open(self) -> int:
        if self._fd < 0:
            raise ValueError("I/O operation on closed epoll object")
        return self._fd


def select_module(call: SystemCalls) -> ModuleType:
    """`select` for one process."""
    epoll = type("epoll", (EPoll,), {"__module__": "select", "_call": call})
    return module(real, Select(call), epoll=epoll, error=OSError)
