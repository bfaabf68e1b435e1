"""Writing where nobody reads any more: EPIPE, and SIGPIPE for the writer."""

from __future__ import annotations

from simkernel.uapi.errno import EPIPE, strerror


class BrokenPipe(BrokenPipeError):
    """EPIPE of a pipe or a stream: the system call sends SIGPIPE too.

    `done` bytes had been taken before; if there are any they are the call's result.
    """

    done = 0


def broken_pipe(done: int = 0) -> BrokenPipe:
    """The error for whoever has written `done` bytes before it came."""
    error = BrokenPipe(EPIPE, strerror(EPIPE))
    error.done = done
    return error
