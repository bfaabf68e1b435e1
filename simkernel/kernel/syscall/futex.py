"""futex(2), on which the locks of multi-threaded programs block (kernel/futex/)."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from simkernel.kernel.parts import KernelParts
from simkernel.kernel.sched.wait import WaitQueue, sleep_on
from simkernel.kernel.vfs.task import Task
from simkernel.uapi.errno import EAGAIN, EINVAL, ENOSYS, ETIMEDOUT, os_error
from simkernel.uapi.futex import FUTEX_WAIT_PRIVATE, FUTEX_WAKE_PRIVATE, FutexWord


class FutexCalls:
    """Handler of futex(2), and the wait queues of all futexes."""

    def __init__(self, kernel: KernelParts) -> None:
        self._kernel = kernel
        self._queues: dict[FutexWord, WaitQueue] = {}

    def futex(
        self, task: Task, word: FutexWord, operation: int, value: int, timeout: int | None = None
    ) -> int | Coroutine[Any, Any, int]:
        """Block if the futex word equals `value` (FUTEX_WAIT), or wake up to `value` waiters (FUTEX_WAKE).

        FUTEX_WAIT raises EAGAIN if the word has another value, ETIMEDOUT after `timeout` ns, and EINVAL if
        `timeout` is negative.
        """
        if timeout is not None and timeout < 0:
            raise os_error(EINVAL)
        if operation == FUTEX_WAKE_PRIVATE:
            return self._wake(word, value)
        if operation != FUTEX_WAIT_PRIVATE:
            raise self._kernel.unmodelled(f"futex operation {operation!r} is not modelled", ENOSYS)
        if word.value != value:
            raise os_error(EAGAIN)
        return self._wait(word, None if timeout is None else self._kernel.engine.time() + timeout)

    async def _wait(self, word: FutexWord, deadline: int | None) -> int:
        queue = self._queues.setdefault(word, WaitQueue("a futex"))
        try:
            if not await sleep_on(queue, deadline=deadline, exclusive=True):
                raise os_error(ETIMEDOUT)
        finally:
            if not queue:
                self._queues.pop(word, None)
        return 0

    def _wake(self, word: FutexWord, count: int) -> int:
        queue = self._queues.get(word)
        woken = 0
        while queue and woken < count:
            queue.wake_up()
            woken += 1
        return woken
