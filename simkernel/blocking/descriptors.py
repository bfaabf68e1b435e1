"""Blocking twins of the calls on descriptors (application/descriptors.py)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from simkernel.application.descriptors import Descriptors
from simkernel.application.epoll import Epoll
from simkernel.blocking.blocking import Run, twin
from simkernel.blocking.socket import BlockingSocket

if TYPE_CHECKING:
    from simkernel.application.app import App


class BlockingEpoll:
    """A look-alike of `select.epoll` whose descriptors are those inside the machine."""

    def __init__(self, run: Run, inside: Epoll) -> None:
        self.run = run
        self.inside = inside

    def __enter__(self) -> BlockingEpoll:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def fileno(self) -> int:
        """The descriptor inside the machine."""
        return self.inside.fileno()

    @property
    def closed(self) -> bool:
        """Whether it is closed."""
        return self.inside.closed

    def register(self, fd: Pollable, *eventmask: int) -> None:
        """Watch a descriptor."""
        self.run(self.inside.register(_descriptor(fd), *eventmask))

    def modify(self, fd: Pollable, eventmask: int) -> None:
        """Watch a descriptor for other events."""
        self.run(self.inside.modify(_descriptor(fd), eventmask))

    def unregister(self, fd: Pollable) -> None:
        """Watch a descriptor no longer."""
        self.run(self.inside.unregister(_descriptor(fd)))

    poll = twin(Epoll.poll)
    close = twin(Epoll.close)


Pollable = BlockingSocket | BlockingEpoll | int


class BlockingDescriptors:
    """Calls on descriptors, each returning its result."""

    if TYPE_CHECKING:
        app: App
        run: Run

    read = twin(Descriptors.read)
    write = twin(Descriptors.write)
    pread = twin(Descriptors.pread)
    pwrite = twin(Descriptors.pwrite)
    readv = twin(Descriptors.readv)
    writev = twin(Descriptors.writev)
    lseek = twin(Descriptors.lseek)
    closerange = twin(Descriptors.closerange)
    setrlimit_nofile = twin(Descriptors.setrlimit_nofile)
    pipe = twin(Descriptors.pipe)
    pipe2 = twin(Descriptors.pipe2)
    eventfd = twin(Descriptors.eventfd)
    eventfd_read = twin(Descriptors.eventfd_read)
    eventfd_write = twin(Descriptors.eventfd_write)

    def close(self, fd: Pollable) -> None:
        """Close a descriptor."""
        self.run(self.app.close(_descriptor(fd)))

    def dup(self, fd: Pollable) -> int:
        """Another descriptor for the same open file."""
        result: int = self.run(self.app.dup(_descriptor(fd)))
        return result

    def dup2(self, fd: Pollable, other: int, inheritable: bool = True) -> int:
        """`other` for the same open file."""
        result: int = self.run(self.app.dup2(_descriptor(fd), other, inheritable))
        return result

    def fcntl(self, fd: Pollable, command: int, argument: int | str | bytes = 0) -> Any:
        """As `fcntl.fcntl`."""
        return self.run(self.app.fcntl(_descriptor(fd), command, argument))

    def ioctl(self, fd: Pollable, request: int, argument: Any = 0, mutate_flag: bool = True) -> Any:
        """As `fcntl.ioctl`."""
        return self.run(self.app.ioctl(_descriptor(fd), request, argument, mutate_flag))

    def poll(
        self, watched: Iterable[tuple[Pollable, int]], timeout: float | None = None
    ) -> list[tuple[int, int]]:
        """(descriptor, events) of those that are ready; waits up to `timeout` milliseconds, None for ever."""
        result: list[tuple[int, int]] = self.run(
            self.app.poll([(_descriptor(what), mask) for what, mask in watched], timeout)
        )
        return result

    def select(
        self,
        rlist: Iterable[Pollable],
        wlist: Iterable[Pollable],
        xlist: Iterable[Pollable],
        timeout: float | None = None,
    ) -> tuple[list[Any], list[Any], list[Any]]:
        """As `select.select`; of a socket its descriptor inside the machine is told."""
        reading, writing, exceptional = (
            [_descriptor(what) for what in each] for each in (rlist, wlist, xlist)
        )
        result: tuple[list[Any], list[Any], list[Any]] = self.run(
            self.app.select(reading, writing, exceptional, timeout)
        )
        return result

    def epoll(self, sizehint: int = -1, flags: int = 0) -> BlockingEpoll:
        """An epoll object."""
        return BlockingEpoll(self.run, self.run(self.app.epoll(sizehint, flags)))


def _descriptor(what: Pollable) -> int:
    if isinstance(what, int):
        return what
    return what.descriptor if isinstance(what, BlockingSocket) else what.fileno()
