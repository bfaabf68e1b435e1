"""The error of a write to a pipe or stream without readers: EPIPE, and SIGPIPE for the writer."""

from __future__ import annotations

from simkernel.uapi.errno import EPIPE, strerror


class BrokenPipe(BrokenPipeError):
    """An EPIPE error of a write or a send. The system call also sends SIGPIPE to the writer, except with
    MSG_NOSIGNAL.

    `done` is the number of bytes written before EPIPE occurred.  If `done` is not 0, the call returns it.
    """

    done = 0


def broken_pipe(done: int = 0) -> BrokenPipe:
    """Return an EPIPE error for a writer that has already written `done` bytes."""
    error = BrokenPipe(EPIPE, strerror(EPIPE))
    error.done = done
    return error
