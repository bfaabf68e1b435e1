"""lockdep: checks the order of locks and their release (kernel/locking/lockdep.c).

Theory of operation.  The class of a lock is the call that creates it.  If a task holds a lock and takes
another one, lockdep records the order of the two classes with the call trace.  If a lock closes a cycle,
it is reported before the task sleeps, so the deadlock itself need not happen.  A trylock cannot deadlock
and adds no order.  A context is a task, or the running interrupt.  As on Linux (`irq_context`), there is
no order between the locks of an interrupted task and those of the interrupt handler.

A spinlock may be taken both in an interrupt and outside of one: taking it disables interrupts, as
`spin_lock_irqsave()` does.  So Linux's inconsistent lock state ("{HARDIRQ-ON-W} -> {IN-HARDIRQ-W}") cannot
happen.  `Preempt` reports code that sleeps in atomic context.
"""

from __future__ import annotations

import sys
from types import CodeType, FrameType
from typing import Any, Final, NamedTuple, Protocol

import attrs

from simkernel.kernel.lib.report import Reports
from simkernel.kernel.lib.stack import (
    LOCATION,
    Place,
    call_trace,
    caller,
    culprit,
    describe,
    described,
    module_frame,
    stack,
)
from simkernel.kernel.sched.completion import Completion
from simkernel.kernel.sched.locking import LockEvents, Locking
from simkernel.kernel.sched.mutex import Mutex
from simkernel.kernel.sched.preempt import Preempt
from simkernel.kernel.sched.runner import Runner
from simkernel.kernel.sched.spinlock import SpinLock
from simkernel.kernel.sched.task import SchedTask

CHECKER: Final = "lockdep"
Class = int | None
"""A lock class, as a serial number, or None for a lock whose order is not checked."""


class Lock(Protocol):
    """The interface of a lock that lockdep checks: its name, kind (mutex or spinlock), class and owner."""

    name: str
    kind: str
    lock_class: Class
    owner: SchedTask | None


_Entry = tuple[Any, Place, bool]
"""A held lock, as a plain tuple of the fields of `_Held`. Lockdep creates one whenever a lock is taken, and a
plain tuple is faster to create than the named tuple `_Held`.
"""


class _Held(NamedTuple):
    lock: Lock
    at: Place
    trylock: bool

    def __str__(self) -> str:
        return f"({self.lock.kind} {self.lock.name}), at: {describe(self.at)}"


@attrs.frozen(eq=False)
class _Order:
    """The observed order of two locks: a task or an interrupt held the lock in the field `before` when it
    took the lock in the field `after`. Lockdep records only the first such case for each pair of lock
    classes.
    """

    before: Lock
    after: Lock
    places: tuple[Place, ...]

    @property
    def trace(self) -> tuple[str, ...]:
        """The call trace of the code that took the lock `after`."""
        return described(self.places)


class Lockdep(Locking):
    """A factory of locks. If `checking` is True, it checks the order in which each task takes its locks, and
    that only the owner releases a lock.
    """

    def __init__(
        self,
        preempt: Preempt,
        reports: Reports,
        runner: Runner,
        *,
        checking: bool = True,
        events: LockEvents | None = None,
    ) -> None:
        super().__init__(preempt)
        self._reports = reports
        self._runner = runner
        self._checking = checking
        self._events = events
        self._held: dict[SchedTask | None, list[_Entry]] = {}
        self._classes: dict[tuple[CodeType, int], int] = {}
        """The serial number of each lock class. The key is the place in the code that creates the lock: code
        object and bytecode offset.
        """
        self._orders: dict[Class, dict[Class, _Order]] = {}

    def mutex(self, name: str, *, ordered: bool = True) -> Mutex:
        return CheckedMutex(self._preempt, name, self, self._class() if ordered else None)

    def spinlock(self, name: str) -> SpinLock:
        if not self._checking and self._events is None:
            return super().spinlock(name)
        return CheckedSpinLock(self._preempt, name, self, self._class())

    def _class(self) -> Class:
        frame = caller(2)
        return self._classes.setdefault((frame.f_code, frame.f_lasti), len(self._classes))

    def completion(self, name: str) -> Completion:
        if self._events is None:
            return super().completion(name)
        return ObservedCompletion(self._preempt, name, self._events)

    # -- events ---------------------------------------------------------------

    def acquire(self, lock: Lock, frame: FrameType, *, trylock: bool = False) -> SchedTask | None:
        """Check the order of `lock` and add it to the held locks (`lock_acquire()`).

        The code in `frame` is about to take `lock`, or has taken it by `trylock`.  Return the context.
        """
        preempt = self._preempt
        context = None if preempt.interrupts else self._runner.current
        held = self._held.get(context)
        if held is None:
            held = self._held[context] = []
        if LOCATION not in frame.f_globals:
            frame = module_frame(frame)
        this = (lock, (frame.f_code, frame.f_lasti, frame.f_globals), trylock)
        if held:
            # no spinlock is held now: forget those that code held across a sleep or the end of an interrupt
            if not preempt.locks:
                held[:] = [each for each in held if each[0].kind == "mutex"]
            if self._checking and not trylock and held:
                before, _, tried = held[-1]
                known = self._orders.get(before.lock_class)
                if tried or known is None or lock.lock_class not in known or len(held) > 1:
                    self._check_order(_Held(*this), context, list(map(_Held._make, held)))
        held.append(this)
        return context

    def acquired(self, lock: Lock) -> None:
        """Make the running task the owner of `lock`. In an interrupt, the lock has no owner."""
        lock.owner = None if self._preempt.interrupts else self._runner.current
        if self._events is not None:
            self._events.acquired(lock)

    def release(self, lock: Lock) -> None:
        """Remove `lock` from the locks that the running task or interrupt holds (`lock_release()`)."""
        closing = self._runner.closing
        context = lock.owner if closing else None if self._preempt.interrupts else self._runner.current
        held = self._held.get(context)
        if held and held[-1][0] is lock:
            held.pop()
        elif not self.forget(lock, context) and self._checking:
            self._report_unbalanced(lock, context, list(map(_Held._make, held or ())))
            self.forget(lock, lock.owner)
        if self._events is not None:
            self._events.released(lock)
        lock.owner = None

    def forget(self, lock: Lock, context: SchedTask | None) -> bool:
        """Remove `lock` from the locks that the task `context` holds. If `context` is None, remove it from
        the locks that interrupts hold. Return False if the lock is not among them.
        """
        held = self._held.get(context, [])
        found = next((each for each in reversed(held) if each[0] is lock), None)
        if found is None:
            return False
        held.remove(found)
        return True

    def sys_exit(self, task: SchedTask) -> None:
        """Report the locks that `task` still holds when its system call returns (`lockdep_sys_exit()`)."""
        held = self._held.get(task)
        if held and task.frame is None:
            self._report_kept(task, held, "lock held when returning to user space!", "leaving the kernel")

    def audit(self) -> None:
        """Report tasks that still held a lock when they returned to user mode or ended.

        `audit` is called when no event is left, so it reports later than Linux. Lockdep does not see the
        return of a call that did not sleep.
        """
        for task, held in list(self._held.items()):
            if task is None or (task.kthread and task.alive):
                continue
            if task.alive:
                self.sys_exit(task)
            elif held:
                self._report_kept(task, held, f"{_who(task)} still has locks held!", "")
            else:
                del self._held[task]

    # -- checks ---------------------------------------------------------------

    def _check_order(self, after: _Held, context: SchedTask | None, held: list[_Held]) -> None:
        """Check the lock order when a task or an interrupt takes the lock `after` while it holds the locks in
        `held` (`check_deadlock()`). Each pair of lock classes is checked only the first time.
        """
        second = after.lock.lock_class
        for before in reversed(held):
            first = before.lock.lock_class
            if before.lock is after.lock or (first is not None and first == second):
                if second not in self._orders.setdefault(first, {}):
                    self._orders[first][second] = _Order(before.lock, after.lock, ())
                    self._report_recursive(before, after, context, held)
                return
        for before in reversed(held):
            first = before.lock.lock_class
            if first is None or second is None:
                continue
            if second not in self._orders.setdefault(first, {}):
                chain = self._path(second, first)
                self._orders[first][second] = order = _Order(before.lock, after.lock, stack(3))
                if chain is not None:
                    self._report_circular(before, after, [order, *chain], context, held)
            if not before.trylock:
                # skip the earlier locks: their order before this lock was recorded when it was taken
                return

    def _path(self, start: Class, end: Class) -> list[_Order] | None:
        """Return the shortest chain of lock orders from one lock class to another, or None (`__bfs()`)."""
        paths: dict[Class, list[_Order]] = {start: []}
        for at in (queue := [start]):
            for following, order in self._orders.get(at, {}).items():
                if following not in paths:
                    paths[following] = [*paths[at], order]
                    queue.append(following)
        return paths.get(end)

    # -- reports --------------------------------------------------------------

    def _report_circular(
        self,
        before: _Held,
        after: _Held,
        orders: list[_Order],
        context: SchedTask | None,
        held: list[_Held],
    ) -> None:
        """Report a lock order that closes a cycle (`print_circular_bug()`)."""
        lines = [
            f"{_who(context)} is trying to acquire lock:",
            f" {after}",
            "",
            "but task is already holding lock:",
            f" {before}",
            "",
            "which lock already depends on the new lock.",
            "",
            "the existing dependency chain (in reverse order) is:",
        ]
        trace = [describe(after.at), describe(before.at)]
        for number, order in zip(
            range(len(orders) - 1, -1, -1), [*reversed(orders[1:]), orders[0]], strict=True
        ):
            lines += ["", f"-> #{number} ({order.after.kind} {order.after.name}):"]
            lines += [f"       {line}" for line in order.trace]
            trace.append(culprit(order.trace))
        lines += [
            "",
            " Possible unsafe locking scenario:",
            "",
            f"       {'CPU0':24}CPU1",
            f"       {'----':24}----",
        ]
        lines += [
            f"  lock({before.lock.name});",
            *(f"{'':31}lock({name});" for name in _names(after, before)),
        ]
        lines += [f"  lock({after.lock.name});", "", " *** DEADLOCK ***", "", *_listed(context, held)]
        lines += ["", "stack backtrace:", *(f" {line}" for line in orders[0].trace)]
        title = "WARNING: possible circular locking dependency detected"
        self._reports.add(CHECKER, title, lines, trace, "=")

    def _report_recursive(
        self, before: _Held, after: _Held, context: SchedTask | None, held: list[_Held]
    ) -> None:
        """Report that a task takes a second lock of the same class, because no order is defined for two such
        locks (`print_deadlock_bug()`).
        """
        lines = [
            f"{_who(context)} is trying to acquire lock:",
            f" {after}",
            "",
            "but task is already holding lock:",
            f" {before}",
            "",
            " *** DEADLOCK ***",
            "",
            *_listed(context, held),
        ]
        title = "WARNING: possible recursive locking detected"
        self._reports.add(CHECKER, title, lines, (describe(after.at), describe(before.at)), "=")

    def _report_unbalanced(self, lock: Lock, context: SchedTask | None, held: list[_Held]) -> None:
        """Report that a task or an interrupt releases a lock that it does not hold
        (`print_unlock_imbalance_bug()`).
        """
        trace = call_trace(2)
        lines = [
            f"{_who(context)} is trying to release lock ({lock.kind} {lock.name}) at:",
            f" {culprit(trace)}",
        ]
        lines += [
            f"but {_who(lock.owner)} has taken it!"
            if lock.owner
            else "but there are no more locks to release!"
        ]
        lines += ["", *_listed(context, held), "", "stack backtrace:", *(f" {line}" for line in trace)]
        self._reports.add(CHECKER, "WARNING: bad unlock balance detected!", lines, trace, "=")

    def _report_kept(self, task: SchedTask, entries: list[_Entry], text: str, action: str) -> None:
        """Report the locks that `task` still holds when its system call or the task itself has ended
        (`print_held_locks_bug()`). Forget these locks, so that they are reported only once.
        """
        del self._held[task]
        if not self._checking:
            return
        held = list(map(_Held._make, entries))
        lines = [f"{_who(task)} is {action} with locks still held!"] if action else []
        lines += _listed(task, held)
        self._reports.add(CHECKER, f"WARNING: {text}", lines, [describe(each.at) for each in held], "=")


class CheckedMutex(Mutex):
    """A mutex that lockdep observes."""

    kind = "mutex"

    def __init__(self, preempt: Preempt, name: str, lockdep: Lockdep, lock_class: Class) -> None:
        super().__init__(preempt, name)
        self._lockdep = lockdep
        self.lock_class = lock_class
        self.owner: SchedTask | None = None

    async def _lock(self, interruptible: bool) -> None:
        context = self._lockdep.acquire(self, sys._getframe(1))
        try:
            await super()._lock(interruptible)
        except BaseException:
            self._lockdep.forget(self, context)
            raise
        self._lockdep.acquired(self)

    def try_lock(self) -> bool:
        taken = super().try_lock()
        if taken:
            self._lockdep.acquire(self, sys._getframe(1), trylock=True)
            self._lockdep.acquired(self)
        return taken

    def unlock(self) -> None:
        self._lockdep.release(self)
        super().unlock()


class CheckedSpinLock(SpinLock):
    """A spinlock that lockdep observes."""

    kind = "spinlock"

    def __init__(self, preempt: Preempt, name: str, lockdep: Lockdep, lock_class: Class) -> None:
        super().__init__(preempt, name)
        self._lockdep = lockdep
        self.lock_class = lock_class
        self.owner: SchedTask | None = None

    def lock(self) -> None:
        self._take(sys._getframe(1))

    def __enter__(self) -> None:
        self._take(sys._getframe(1))

    def _take(self, frame: FrameType) -> None:
        context = self._lockdep.acquire(self, frame)
        try:
            super().lock()
        except BaseException:
            self._lockdep.forget(self, context)
            raise
        self._lockdep.acquired(self)

    def unlock(self) -> None:
        self._lockdep.release(self)
        super().unlock()


class ObservedCompletion(Completion):
    """A completion that the race detector observes. If `complete()` ends a `wait()`, the accesses before
    `complete()` cannot race with the accesses after this `wait()`.
    """

    def __init__(self, preempt: Preempt, name: str, events: LockEvents) -> None:
        super().__init__(preempt, name)
        self._events = events

    def complete(self) -> None:
        self._events.released(self)
        super().complete()

    async def _wait(self, deadline: int | None, interruptible: bool) -> bool:
        done = await super()._wait(deadline, interruptible)
        self._events.acquired(self)
        return done


def _who(task: SchedTask | None) -> str:
    return "swapper/0" if task is None else f"{task.comm}/{task.pid}"


def _names(*held: _Held) -> list[str]:
    return [each.lock.name for each in held]


def _listed(context: SchedTask | None, held: list[_Held]) -> list[str]:
    """Return the lines of a report that list the locks that a task or an interrupt holds
    (`lockdep_print_held_locks()`).
    """
    if not held:
        return [f"no locks held by {_who(context)}."]
    plural = "s" if len(held) > 1 else ""
    return [
        f"{len(held)} lock{plural} held by {_who(context)}:",
        *(f" #{number}: {each}" for number, each in enumerate(held)),
    ]
