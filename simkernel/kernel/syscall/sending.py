"""Blocking writes and sends: wait for space, then resume.  An interrupted call returns its partial result."""

from __future__ import annotations

from simkernel.kernel.parts import KernelParts
from simkernel.kernel.sched.wait import WouldBlock, sleep_on
from simkernel.kernel.vfs.broken_pipe import BrokenPipe
from simkernel.kernel.vfs.file import OpenFile
from simkernel.kernel.vfs.task import Task
from simkernel.uapi.errno import EAGAIN, EPIPE, os_error
from simkernel.uapi.signal import SIGPIPE


def done_or_eagain(blocked: WouldBlock) -> int:
    """Return the number of bytes that a non-blocking call has written. Raise EAGAIN if this number is 0."""
    blocked.release()
    if blocked.done:
        return blocked.done
    raise os_error(EAGAIN)


async def wait_and_resume(
    kernel: KernelParts,
    task: Task,
    file: OpenFile,
    blocked: WouldBlock,
    *,
    signal: bool = True,
) -> int:
    """Wait for space and retry a blocked write until all bytes are written.

    After a signal or the deadline, return the partial result.
    """
    timeout = None if file.socket is None else file.socket.sndtimeo
    deadline = None if timeout is None else kernel.engine.time() + timeout
    file.get()
    try:
        while await _wait(blocked, deadline):
            try:
                result: int = blocked.retry()
            except WouldBlock as still:
                blocked = still
            else:
                return result
        return done_or_eagain(blocked)
    except InterruptedError:
        if blocked.done:
            return blocked.done
        raise
    except BrokenPipe as broken:
        return broken_pipe(kernel, task, broken, signal=signal)
    finally:
        file.put()


async def _wait(blocked: WouldBlock, deadline: int | None) -> bool:
    """Sleep until the operation can be retried.  Return False if the deadline has passed."""
    try:
        return await sleep_on(blocked.queue, deadline=deadline, exclusive=blocked.exclusive)
    except BaseException:  # a signal has interrupted the sleep, or the task is ending
        blocked.release()
        raise


def broken_pipe(kernel: KernelParts, task: Task, broken: BrokenPipe, *, signal: bool = True) -> int:
    """Send SIGPIPE if `signal` is true. Return the number of bytes written, or raise EPIPE if this number is
    0.
    """
    if signal:
        kernel.processes.send_signal(task, SIGPIPE)
    if broken.done:
        return broken.done
    raise os_error(EPIPE) from None
