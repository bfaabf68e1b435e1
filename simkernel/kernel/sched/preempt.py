"""Which context code runs in, and whether it may sleep there (include/linux/preempt.h).

Theory of operation.  Kernel code runs to its end in a section, and nothing preempts it, so that at
any moment one context is the current one: the task that the runner drives, or an interrupt.  An
interrupt must not sleep, and neither may a task that holds a spinlock.  Who does is told twice, as
on Linux: when he calls what may sleep (`might_sleep()`), and when he sleeps (`schedule()`).  The
machine goes on after both.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any, ClassVar

from simkernel.kernel.lib.report import Reports
from simkernel.kernel.lib.stack import call_trace

if TYPE_CHECKING:
    from simkernel.kernel.sched.task import SchedTask

HARDIRQ = 0x10000
"""What one interrupt adds to the preempt count (HARDIRQ_OFFSET)."""


class _Nothing:
    """What a sleeping function gives to an interrupt, which cannot wait for it: it is over at once."""

    def __await__(self) -> Generator[Any, Any, Any]:
        return
        yield


NOTHING = _Nothing()


class Preempt:
    """The preempt count of a machine, and the bugs that it has caught."""

    evaluating: ClassVar[int] = 0
    """Above 0 while the kernel evaluates a driver's poll or condition: no plan pauses it.

    Linux queues the task before it evaluates either, so that no wake-up is lost.  Here the task is queued
    after, and nothing may happen in between.
    """

    def __init__(self, reports: Reports, current: Callable[[], SchedTask | None]) -> None:
        self._reports = reports
        self._current = current
        self.interrupts = 0
        self.locks: list[str] = []
        self.bugs = 0
        """How often code slept, or was about to, where it must not."""

    @property
    def in_interrupt(self) -> bool:
        """Whether an interrupt handler or a timer runs."""
        return self.interrupts > 0

    @property
    def in_atomic(self) -> bool:
        """Whether the current context must not sleep."""
        return self.interrupts > 0 or bool(self.locks)

    @property
    def count(self) -> int:
        """The count as Linux prints it: locks held, and HARDIRQ for each interrupt."""
        return len(self.locks) + HARDIRQ * self.interrupts

    def irq_enter(self) -> None:
        """An interrupt begins."""
        self.interrupts += 1

    def irq_exit(self, name: str) -> None:
        """The interrupt ends.  A lock that its handler kept is a bug, and is forgotten."""
        self.interrupts -= 1
        if self.locks and not self.interrupts:
            self._bug(f"BUG: {name} returned with spinlock {self.locks[-1]} held")
            self.locks.clear()

    def lock(self, name: str) -> None:
        """A spinlock was taken."""
        self.locks.append(name)

    def unlock(self, name: str) -> None:
        """A spinlock was given back."""
        if name in self.locks:
            self.locks.remove(name)

    def might_sleep(self, function: str) -> bool:
        """`function`, which may sleep, is called.  In atomic context that is a logged bug.

        True for an interrupt, which cannot sleep: it gets `NOTHING`.  A task that holds a spinlock
        goes on to sleep, and that is the next bug.  `__might_sleep()` of kernel/sched/core.c.
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
        """The current context sleeps.  In atomic context that is a logged bug.

        The locks stay taken but no longer count (`__schedule_bug()` and what follows it).
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
