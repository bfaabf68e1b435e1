"""include/linux/mutex.h: locks for code that may sleep.

lock = mutex_init(this, "camera")
async with lock:
    ...
"""

from __future__ import annotations

from collections.abc import Awaitable

from simkernel.driverapi.context import kernel_of
from simkernel.kernel.module.awaiting import sleeps
from simkernel.kernel.module.module import ThisModule
from simkernel.kernel.sched.mutex import Mutex as Mutex


def mutex_init(this: ThisModule, name: str) -> Mutex:
    """A mutex; its name tells in a list of sleepers who waits for what."""
    return kernel_of(this).locking.mutex(name)


@sleeps
def mutex_lock(lock: Mutex) -> Awaitable[None]:
    """Take `lock`, sleeping while another has it."""
    return lock.lock()


@sleeps
def mutex_lock_interruptible(lock: Mutex) -> Awaitable[None]:
    """Take `lock`, sleeping while another has it.  EINTR if a signal comes."""
    return lock.lock(interruptible=True)


def mutex_trylock(lock: Mutex) -> bool:
    """Take `lock` if nobody has it; whether that succeeded."""
    return lock.try_lock()


def mutex_unlock(lock: Mutex) -> None:
    """Give `lock` back."""
    lock.unlock()
