"""The execution context of kernel code, and whether it may sleep (include/linux/preempt.h).

Theory of operation.  Kernel code is not preempted. At any moment one context is current: the task that the
runner drives, or an interrupt.  An interrupt must not sleep, nor a task that holds a spinlock.  As on
Linux, such a bug is logged twice: when the code calls a function that may sleep (`might_sleep()`), and
when it sleeps (`schedule()`).  The machine continues after both.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any, ClassVar

from simkernel.kernel.lib.report import Reports
from simkernel.kernel.lib.stack import call_trace

if TYPE_CHECKING:
    from simkernel.kernel.sched.task import SchedTask

HARDIRQ = 0x10000
"""Value that one interrupt adds to the preempt count (HARDIRQ_OFFSET)."""


class _Completed:
    """An awaitable that completes at once. In an interrupt, a function that may sleep returns this awaitable,
    because an interrupt cannot sleep.
    """

    def __await__(self) -> Generator[Any, Any, Any]:
        return
        yield


COMPLETED = _Completed()


class Preempt:
    """The preempt count of a machine, and the number of bugs detected with it."""

    evaluating: ClassVar[int] = 0
    """Greater than 0 while the kernel calls a driver's poll function or wait condition. During such a call,
    the driver's code must not pause: the task joins the wait queue only after the call, so a wake-up during a
    pause would be lost.

    On Linux, the task joins the wait queue before the call.
    """

    def __init__(self, reports: Reports, current: Callable[[], SchedTask | None]) -> None:
        self._reports = reports
        self._current = current
        self.interrupts = 0
        self.locks: list[str] = []
        self.bugs = 0
        """Number of times that code slept, or called a function that may sleep, in atomic context."""

    @property
    def in_interrupt(self) -> bool:
        """True while an interrupt handler or a timer function runs."""
        return self.interrupts > 0

    @property
    def in_atomic(self) -> bool:
        """True if the current context must not sleep."""
        return self.interrupts > 0 or bool(self.locks)

    @property
    def count(self) -> int:
        """The preempt count as Linux prints it: held spinlocks, plus HARDIRQ for each running interrupt."""
        return len(self.locks) + HARDIRQ * self.interrupts

    def irq_enter(self) -> None:
        """Enter an interrupt (`irq_enter()`)."""
        self.interrupts += 1

    def irq_exit(self, name: str) -> None:
        """Leave an interrupt. If its handler still holds spinlocks, log a bug and remove them from the
        preempt count.
        """
        self.interrupts -= 1
        if self.locks and not self.interrupts:
            self._bug(f"BUG: {name} returned with spinlock {self.locks[-1]} held")
            self.locks.clear()

    def lock(self, name: str) -> None:
        """Count a spinlock that was taken."""
        self.locks.append(name)

    def unlock(self, name: str) -> None:
        """Remove a released spinlock from the count."""
        if name in self.locks:
            self.locks.remove(name)

    def might_sleep(self, function: str) -> bool:
        """Log a bug if `function`, which may sleep, is called in atomic context (`__might_sleep()`).

        Return True in an interrupt, which cannot sleep: the function then returns `COMPLETED`.  A task that
        holds a spinlock sleeps nevertheless, and `schedule()` logs the next bug.
        """
        if not self.in_atomic:
            return False
        name, pid = self._who()
        self._bug(
            f"BUG: sleeping function called from invalid context at {function}\n"
            f"in_atomic(): 1, irqs_disabled(): {int(self.in_interrupt)}, pid: {pid}, name: {name}"
        )
        return self.in_interrupt

    def schedule(self) -> None:
        """Log a bug if the current context sleeps in atomic context (`__schedule_bug()`).

        Linux then resets the preempt count. So the spinlocks stay locked, but no longer count.
        """
        if not self.in_atomic:
            return
        name, pid = self._who()
        self._bug(f"BUG: scheduling while atomic: {name}/{pid}/0x{self.count:08x}")
        self.locks.clear()

    def _who(self) -> tuple[str, int]:
        task = self._current()
        return ("swapper/0", 0) if task is None else (task.comm, task.pid)

    def _bug(self, text: str) -> None:
        self.bugs += 1
        title, *lines = text.splitlines()
        self._reports.add("lockdep", title, lines, call_trace(2))
