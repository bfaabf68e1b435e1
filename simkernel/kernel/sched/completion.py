"""Completions: tasks wait until another context has completed something (kernel/sched/completion.c)."""

from __future__ import annotations

from collections.abc import Awaitable

from simkernel.kernel.sched.preempt import COMPLETED, Preempt
from simkernel.kernel.sched.wait import WaitQueue, sleep_on


class Completion:
    """A counter of completed events. Each completed event wakes one waiting task."""

    def __init__(self, preempt: Preempt, name: str) -> None:
        self._preempt = preempt
        self._queue = WaitQueue(f"completion {name}")
        self.done = 0

    def complete(self) -> None:
        """Complete one event and wake the first waiter.  May be called in interrupt context."""
        self.done += 1
        self._queue.wake_up()

    def reinit(self) -> None:
        """Reset the counter, so that the completion can be used again (`reinit_completion()`)."""
        self.done = 0

    def wait(self, *, deadline: int | None = None, interruptible: bool = False) -> Awaitable[bool]:
        """Sleep until an event is completed, then return True. If the simulated time `deadline` (ns) comes
        first, return False.
        """
        if self._preempt.might_sleep("wait_for_completion"):
            return COMPLETED
        return self._wait(deadline, interruptible)

    async def _wait(self, deadline: int | None, interruptible: bool) -> bool:
        try:
            while not self.done:
                if not await sleep_on(
                    self._queue, interruptible=interruptible, deadline=deadline, exclusive=True
                ):
                    return False
        except BaseException:
            # the wait ended with an error: if an event is completed, wake the next waiter
            if self.done:
                self._queue.wake_up()
            raise
        self.done -= 1
        return True
