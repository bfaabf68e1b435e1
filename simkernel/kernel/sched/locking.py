"""The locks of a machine, made by one factory: a machine that checks its locks has another."""

from __future__ import annotations

from simkernel.kernel.sched.completion import Completion
from simkernel.kernel.sched.mutex import Mutex
from simkernel.kernel.sched.preempt import Preempt
from simkernel.kernel.sched.spinlock import SpinLock


class Locking:
    """Makes locks.  `Lockdep` makes checked ones."""

    def __init__(self, preempt: Preempt) -> None:
        self._preempt = preempt

    def mutex(self, name: str, *, ordered: bool = True) -> Mutex:
        """A mutex.  Not `ordered`: lockdep ignores its order (`lockdep_set_novalidate_class()`)."""
        return Mutex(self._preempt, name)

    def completion(self, name: str) -> Completion:
        """A completion."""
        return Completion(self._preempt, name)

    def spinlock(self, name: str) -> SpinLock:
        """A spinlock."""
        return SpinLock(self._preempt, name)
