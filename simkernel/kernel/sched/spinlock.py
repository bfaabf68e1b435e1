"""Spinlocks: what a driver shares with its interrupt handler, it touches only under one.

On one CPU a lock that is taken and wanted again is never given back, since its holder cannot run:
who takes it a second time would spin for ever, and is stopped by a `Lockup` instead.
"""

from __future__ import annotations

from simkernel.kernel.sched.preempt import Preempt


class Lockup(Exception):
    """Code would spin for ever on a lock that is never given back."""


class SpinLock:
    """A lock whose holder must not sleep.  As a context manager it is held for the block."""

    def __init__(self, preempt: Preempt, name: str) -> None:
        self._preempt = preempt
        self.name = name
        self.locked = False

    def lock(self) -> None:
        """Take it.  Raises `Lockup` if it is taken already (`spin_bug()`)."""
        if self.locked:
            raise Lockup(f"spinlock lockup on {self.name}")
        self.locked = True
        self._preempt.lock(self.name)

    def unlock(self) -> None:
        """Give it back.  Raises `Lockup` if it is not taken."""
        if not self.locked:
            raise Lockup(f"spinlock {self.name} already unlocked")
        self.locked = False
        self._preempt.unlock(self.name)

    def __enter__(self) -> None:
        self.lock()

    def __exit__(self, *exception: object) -> None:
        self.unlock()
