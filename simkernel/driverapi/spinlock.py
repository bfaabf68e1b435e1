"""include/linux/spinlock.h: locks for what interrupt handlers share with other code.

    lock = spin_lock_init(this, "camera ring")
    with lock:
        ...                                      # nothing here may sleep

While it is held no interrupt comes on this CPU, as with Linux's `spin_lock_irqsave()`.
"""

from __future__ import annotations

from simkernel.driverapi.context import kernel_of
from simkernel.kernel.module.module import ThisModule
from simkernel.kernel.sched.spinlock import SpinLock as SpinLock


def spin_lock_init(this: ThisModule, name: str) -> SpinLock:
    """A spinlock."""
    return kernel_of(this).locking.spinlock(name)


def spin_lock(lock: SpinLock) -> None:
    """Take `lock`.  Taking it twice is a bug that on Linux hangs the CPU, and an oops here."""
    lock.lock()


def spin_unlock(lock: SpinLock) -> None:
    """Give `lock` back."""
    lock.unlock()
