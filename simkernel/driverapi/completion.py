"""include/linux/completion.h: waiting until another has done something.

done = init_completion(this, "reset")
complete(done)                               # in the interrupt handler
if not await wait_for_completion_timeout(this, done, millis(100)):
    raise os_error(ETIMEDOUT)
"""

from __future__ import annotations

from collections.abc import Awaitable

from simkernel.driverapi.context import kernel_of
from simkernel.driverapi.ktime import ktime_get
from simkernel.kernel.module.awaiting import sleeps
from simkernel.kernel.module.module import ThisModule
from simkernel.kernel.sched.completion import Completion as Completion


def init_completion(this: ThisModule, name: str) -> Completion:
    """A completion; its name tells in a list of sleepers who waits for what."""
    return kernel_of(this).locking.completion(name)


def reinit_completion(completion: Completion) -> None:
    """Forget what was completed, to use it again."""
    completion.reinit()


def complete(completion: Completion) -> None:
    """Let one waiter go on; callable from an interrupt handler."""
    completion.complete()


@sleeps
def wait_for_completion(completion: Completion) -> Awaitable[bool]:
    """Sleep until `complete` was called."""
    return completion.wait()


@sleeps
def wait_for_completion_timeout(this: ThisModule, completion: Completion, timeout: int) -> Awaitable[bool]:
    """Sleep until `complete` was called (True) or `timeout` ns have passed (False)."""
    return completion.wait(deadline=ktime_get(this) + timeout)
