"""The factory of a machine's locks.  A machine that checks its locks uses `Lockdep` instead."""

from __future__ import annotations

from typing import Protocol

from simkernel.kernel.sched.completion import Completion
from simkernel.kernel.sched.mutex import Mutex
from simkernel.kernel.sched.preempt import Preempt
from simkernel.kernel.sched.spinlock import SpinLock


class LockEvents(Protocol):
    """An observer of lock events: the race detector."""

    def acquired(self, lock: object) -> None: ...
    def released(self, lock: object) -> None: ...


class Locking:
    """A factory of locks that are not checked."""

    def __init__(self, preempt: Preempt) -> None:
        self._preempt = preempt

    def mutex(self, name: str, *, ordered: bool = True) -> Mutex:
        """Make a mutex. If `ordered` is False, lockdep does not check in which order tasks take this mutex
        and other locks (`lockdep_set_novalidate_class()`).
        """
        return Mutex(self._preempt, name)

    def completion(self, name: str) -> Completion:
        return Completion(self._preempt, name)

    def spinlock(self, name: str) -> SpinLock:
        return SpinLock(self._preempt, name)
