"""include/linux/spinlock.h: locks for data that interrupt handlers share with other code.

    lock = spin_lock_init(this, "camera ring")
    with lock:
        ...                                      # nothing here can sleep

While a lock is held, interrupts are disabled on this CPU, as with Linux's `spin_lock_irqsave()`.
"""

from __future__ import annotations

from simkernel.driverapi.context import kernel_of
from simkernel.kernel.module.module import ThisModule
from simkernel.kernel.sched.spinlock import SpinLock as SpinLock


def spin_lock_init(this: ThisModule, name: str) -> SpinLock:
    """Return a new spinlock."""
    return kernel_of(this).locking.spinlock(name)


def spin_lock(lock: SpinLock) -> None:
    """Acquire `lock`. If the caller already holds it, Linux hangs the CPU; simkernel reports an oops."""
    lock.lock()


def spin_unlock(lock: SpinLock) -> None:
    """Release `lock`."""
    lock.unlock()
