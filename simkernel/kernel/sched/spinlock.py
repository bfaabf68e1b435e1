"""Spinlocks, which protect data that a driver shares with its interrupt handler.

The holder of a spinlock cannot be preempted.  So code that takes a locked spinlock would spin for ever; it
gets a `Lockup` exception instead.
"""

from __future__ import annotations

from simkernel.kernel.sched.preempt import Preempt


class Lockup(Exception):
    """Raised if code takes a spinlock that is already locked (on Linux, the code would spin for ever), or
    releases a spinlock that is not locked.
    """


class SpinLock:
    """A lock whose holder must not sleep.  Used as a context manager, it is held inside the block."""

    def __init__(self, preempt: Preempt, name: str) -> None:
        self._preempt = preempt
        self.name = name
        self.locked = False

    def lock(self) -> None:
        """Take the spinlock.  Raise `Lockup` if it is already locked (`spin_bug()`)."""
        if self.locked:
            raise Lockup(f"spinlock lockup on {self.name}")
        self.locked = True
        self._preempt.lock(self.name)

    def unlock(self) -> None:
        """Release the spinlock.  Raise `Lockup` if it is not locked."""
        if not self.locked:
            raise Lockup(f"spinlock {self.name} already unlocked")
        self.locked = False
        self._preempt.unlock(self.name)

    def __enter__(self) -> None:
        self.lock()

    def __exit__(self, *exception: object) -> None:
        self.unlock()
