"""A blocking `select.epoll` for the file descriptors of a simulated process."""

from __future__ import annotations

from typing import Self

from simkernel.application.epoll import Epoll
from simkernel.blocking.methods import Run, blocking


class BlockingEpoll:
    """An epoll object whose methods block and return their results."""

    def __init__(self, run: Run, wrapped: Epoll) -> None:
        self.run = run
        self.wrapped = wrapped

    def __repr__(self) -> str:
        return f"<blocking {self.wrapped!r}>"

    def __enter__(self) -> Self:
        self.fileno()  # fileno() raises ValueError if the epoll object is closed
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def fileno(self) -> int:
        """Return the simulated file descriptor of the epoll object. Raise ValueError if the object is
        closed.
        """
        return self.wrapped.fileno()

    @property
    def closed(self) -> bool:
        """True if the epoll object is closed."""
        return self.wrapped.closed

    register = blocking(Epoll.register)
    modify = blocking(Epoll.modify)
    unregister = blocking(Epoll.unregister)
    poll = blocking(Epoll.poll)
    close = blocking(Epoll.close)
