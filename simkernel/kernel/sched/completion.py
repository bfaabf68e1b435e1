"""Completions: one side waits till the other has done something (kernel/sched/completion.c)."""

from __future__ import annotations

from collections.abc import Awaitable

from simkernel.kernel.sched.preempt import NOTHING, Preempt
from simkernel.kernel.sched.wait import WaitQueue, sleep_on


class Completion:
    """A count of things done, each of which lets one waiter go on."""

    def __init__(self, preempt: Preempt, name: str) -> None:
        self._preempt = preempt
        self._queue = WaitQueue(f"completion {name}")
        self.done = 0

    def complete(self) -> None:
        """One thing is done: the first waiter goes on.  May be called in interrupt context."""
        self.done += 1
        self._queue.wake_up()

    def reinit(self) -> None:
        """Forget what is done, to use it again (`reinit_completion()`)."""
        self.done = 0

    def wait(self, *, deadline: int | None = None, interruptible: bool = False) -> Awaitable[bool]:
        """Sleep until something is done (True) or the clock shows `deadline` ns (False)."""
        if self._preempt.might_sleep("wait_for_completion"):
            return NOTHING
        return self._wait(deadline, interruptible)

    async def _wait(self, deadline: int | None, interruptible: bool) -> bool:
        try:
            while not self.done:
                if not await sleep_on(
                    self._queue, interruptible=interruptible, deadline=deadline, exclusive=True
                ):
                    return False
        except BaseException:
            if self.done:  # woken to take it, and killed before it could
                self._queue.wake_up()
            raise
        self.done -= 1
        return True
