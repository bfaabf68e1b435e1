"""include/linux/completion.h: waiting until another task or an interrupt handler signals completion.

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
    """Return a new completion. Its name appears in the list of sleeping tasks."""
    return kernel_of(this).locking.completion(name)


def reinit_completion(completion: Completion) -> None:
    """Reset the completion, so that it can be used again."""
    completion.reinit()


def complete(completion: Completion) -> None:
    """Wake one waiter. Callable from an interrupt handler."""
    completion.complete()


@sleeps
def wait_for_completion(completion: Completion) -> Awaitable[bool]:
    """Sleep until `complete` is called."""
    return completion.wait()


@sleeps
def wait_for_completion_timeout(this: ThisModule, completion: Completion, timeout: int) -> Awaitable[bool]:
    """Sleep until `complete` is called (returns True) or `timeout` ns have passed (returns False)."""
    return completion.wait(deadline=ktime_get(this) + timeout)
