"""Epoll objects of programs, with the interface of Python's `select.epoll`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from simkernel.application.arguments import Descriptor, c_int, descriptor, poll_timeout, to_int
from simkernel.application.caller import Caller
from simkernel.application.lazy import lazy
from simkernel.engine import SECOND, Call
from simkernel.uapi.eventpoll import (
    EPOLL_CTL_ADD,
    EPOLL_CTL_DEL,
    EPOLL_CTL_MOD,
    EPOLLIN,
    EPOLLOUT,
    EPOLLPRI,
)

FD_SETSIZE: Final = 1024
"""Without `maxevents`, `epoll.poll()` returns at most FD_SETSIZE - 1 events (Modules/selectmodule.c)."""


class Epoll:
    """An epoll instance, as `select.epoll` is."""

    __slots__ = ("__weakref__", "_app", "_fd")

    def __init__(self, app: Caller, fd: int) -> None:
        self._app = app
        self._fd = fd

    def __repr__(self) -> str:
        return f"<Epoll fd={self._fd}>"

    async def __aenter__(self) -> Epoll:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def fileno(self) -> int:
        """Return the file descriptor.  Raise ValueError if it is closed."""
        if self._fd < 0:
            raise ValueError("I/O operation on closed epoll object")
        return self._fd

    @property
    def closed(self) -> bool:
        """True if the descriptor is closed."""
        return self._fd < 0

    def register(self, fd: Descriptor, eventmask: int = EPOLLIN | EPOLLOUT | EPOLLPRI) -> Call[None]:
        """Add a descriptor to the interest list.

        Raise EEXIST if it is registered, EPERM for a regular file.
        """
        return self._control(EPOLL_CTL_ADD, fd, eventmask)

    def modify(self, fd: Descriptor, eventmask: int) -> Call[None]:
        """Change the events of a registered descriptor.

        Raise FileNotFoundError (ENOENT) if it is not registered.
        """
        return self._control(EPOLL_CTL_MOD, fd, eventmask)

    def unregister(self, fd: Descriptor) -> Call[None]:
        """Remove a descriptor from the interest list."""
        return self._control(EPOLL_CTL_DEL, fd, 0)

    def _control(self, operation: int, fd: Descriptor, events: int) -> Call[None]:
        number = descriptor(fd)
        return self._app.call(
            "epoll_ctl", self.fileno(), operation, number, to_int(events) & 0xFFFFFFFF, number
        )

    def poll(self, timeout: float | None = None, maxevents: int = -1) -> Call[list[tuple[int, int]]]:
        """Wait at most `timeout` seconds and return a (descriptor, events) pair for each ready descriptor.

        None or a negative timeout means no limit.  The timeout is rounded up to whole milliseconds.
        """
        maxevents = c_int(maxevents)
        if maxevents == -1:
            maxevents = FD_SETSIZE - 1
        elif maxevents < 1:
            raise ValueError(f"maxevents must be greater than 0, got {maxevents}")
        ns = poll_timeout(timeout, SECOND)
        return self._app.call("epoll_wait", self.fileno(), maxevents, ns, convert=_pairs)

    @lazy
    async def close(self) -> None:
        """Close the descriptor.  A second call has no effect."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            await self._app.call("close", fd)


def _pairs(events: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    return [(data, happened) for happened, data in events]
