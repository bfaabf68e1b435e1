"""Waiting in the kernel: wait queues, sleeps, and operations that would block.

Theory of operation.  An object (a netlink socket, a process, a mutex) never waits.  Its operations either
succeed at once or raise `WouldBlock`. This exception names the wait queue and the function that retries
the operation.  The caller decides: a non-blocking system call turns the exception into EAGAIN, a blocking
one sleeps on the queue and then retries.

Sleeping code is `async def` and awaits `sleep_on` or `elapse`. The task's runner (kernel/sched/runner.py)
drives its coroutine.  All other kernel code is plain functions that run to completion.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from typing import Any, ClassVar, Protocol, TypeVar

from simkernel.engine import SimulationError, Timer

T = TypeVar("T")


class Waiter(Protocol):
    """An entry in a wait queue (`struct wait_queue_entry`)."""

    @property
    def exclusive(self) -> bool:
        """True if a wake-up stops after it has woken this entry (WQ_FLAG_EXCLUSIVE)."""

    def wake(self, woken: bool) -> None:
        """Remove the entry from all its queues and resume its task. `woken` is False after a timeout."""

    def wake_for(self, queue: WaitQueue, events: int) -> bool:
        """Wake this entry because `events` (a mask of poll events, or 0 for any event) occurred on `queue`.
        Return False if the entry does not wait for these events.
        """


class WaitQueue:
    """A wait queue (`struct wait_queue_head`): the tasks and callbacks that wait for one condition.

    A wake-up wakes all non-exclusive entries and the first exclusive one, as `__wake_up_common()` does.
    So a message wakes only one of several readers of a socket.  Non-exclusive entries are at the head of
    the queue, the latest one first (`add_wait_queue()`).
    """

    __slots__ = ("_first", "_others", "name")

    def __init__(self, name: str = "") -> None:
        self.name = name
        self._first: Waiter | None = None
        # this list is created at first use, because most queues have at most one entry
        self._others: list[Waiter] | None = None

    def __bool__(self) -> bool:
        return self._first is not None

    def __len__(self) -> int:
        return len(self._waiters())

    def _waiters(self) -> tuple[Waiter, ...]:
        return () if self._first is None else (self._first, *(self._others or ()))

    def add(self, waiter: Waiter) -> None:
        """Add an entry: an exclusive one at the end of the queue, any other at its head."""
        (self.add_last if waiter.exclusive else self.add_first)(waiter)

    def add_last(self, waiter: Waiter) -> None:
        """Add a waiter at the end of the queue (`__add_wait_queue_entry_tail()`)."""
        if self._first is None:
            self._first = waiter
        elif self._others:
            self._others.append(waiter)
        else:
            self._others = [waiter]

    def add_first(self, waiter: Waiter) -> None:
        """Add a waiter at the head of the queue, even an exclusive one (`__add_wait_queue_exclusive()`)."""
        if self._first is not None:
            self._others = [self._first, *(self._others or ())]
        self._first = waiter

    def discard(self, waiter: Waiter) -> None:
        """Remove a waiter from the queue. If the queue does not contain the waiter, do nothing."""
        others = self._others
        if self._first is waiter:
            self._first = others.pop(0) if others else None
        elif others and waiter in others:
            others.remove(waiter)

    def wake_up(self) -> None:
        """Wake all non-exclusive waiters and one exclusive waiter (`wake_up()`)."""
        first = self._first
        if first is not None:
            if self._others:
                self.wake_up_poll(0)
            else:
                first.wake(True)

    def wake_up_poll(self, events: int) -> None:
        """Wake waiters as `wake_up` does, but skip those that poll for none of `events`
        (`wake_up_poll()`).
        """
        for waiter in self._waiters():
            if waiter.wake_for(self, events) and waiter.exclusive:
                return

    def wake_up_all(self) -> None:
        """Wake all waiters, also all exclusive ones (`wake_up_all()`)."""
        for waiter in self._waiters():
            waiter.wake(True)


class FifoQueue(WaitQueue):
    """A wait queue in which the task that has waited longest is first (`wait_event_interruptible_locked()`).

    A wake-up wakes all tasks in the queue.  Pollers are added with `add_first`.
    """

    __slots__ = ()

    add = WaitQueue.add_last


class LockQueue(WaitQueue):
    """The wait queue of a lock. The attribute `lock` stores the lock, so that a report of a hung task can
    name the owner of the lock.
    """

    __slots__ = ("lock",)

    def __init__(self, name: str, lock: object) -> None:
        super().__init__(name)
        self.lock = lock


class WouldBlock(Exception):
    """Raised by an operation that cannot continue until the wait queue `queue` is woken. After the wake-up,
    the caller continues the operation with `retry()`.

    `done` is the number of bytes processed so far. A non-blocking call returns it, or raises EAGAIN if it
    is 0. A caller that does not retry must call `release()`, because the operation may hold resources.  A
    wake-up wakes only one `exclusive` operation.
    """

    def __init__(
        self,
        queue: WaitQueue,
        retry: Callable[[], Any],
        done: int = 0,
        on_release: Callable[[], None] | None = None,
        exclusive: bool = False,
    ) -> None:
        super().__init__(queue, retry, done, on_release, exclusive)
        self.queue = queue
        self.retry = retry
        self.done = done
        self._on_release = on_release
        self.exclusive = exclusive

    def release(self) -> None:
        """Release the resources of the blocked operation, because the task will not try it again."""
        if self._on_release is not None:
            self._on_release()


class Sleeper(Protocol):
    """A task that can sleep; `on_wake` is the callback invoked when its sleep ends."""

    @property
    def on_wake(self) -> Callable[[Any, bool, BaseException | None], None]: ...


class HeldFile(Protocol):
    """A reference-counted open file that a blocked call keeps open."""

    def get(self) -> object: ...
    def put(self) -> object: ...


class Sleeping:
    """A sleep of a task: it ends when a queue is woken or at `deadline` (ns).

    If the sleep is `interruptible`, a signal ends it with EINTR.
    """

    __slots__ = ("deadline", "queue", "sleeper", "timer")

    interruptible: bool = True
    idle: ClassVar[bool] = False
    deadline: int | None
    queue: WaitQueue | None
    """The queue of this sleep if it has exactly one queue, else None. For epoll_wait(2), it is always None.
    """
    sleeper: Sleeper | None
    timer: Timer | None

    @property
    def exclusive(self) -> bool:
        """True if a wake-up stops after it has woken this task (WQ_FLAG_EXCLUSIVE)."""
        raise NotImplementedError

    @property
    def queues(self) -> tuple[WaitQueue, ...]:
        """The wait queues that can end this sleep."""
        return () if self.queue is None else (self.queue,)

    @property
    def where(self) -> str:
        """The names of the wait queues, for lists of sleeping tasks. "a timer" if no queue has a name."""
        return ", ".join(queue.name for queue in self.queues if queue.name) or "a timer"

    def enqueue(self) -> None:
        """Add this sleep to all its wait queues."""
        for queue in self.queues:
            queue.add(self)

    def wake(self, woken: bool) -> None:
        """End the sleep and resume its task. A second call has no effect."""
        sleeper = self.sleeper
        if sleeper is not None:
            # INLINE: simkernel.kernel.sched.wait.Sleeping.dequeue, saves 4.5 % of blocked-100
            queue = self.queue
            if queue is None or self.timer is not None or queue._others:
                self.dequeue()
            else:
                self.sleeper = queue._first = None
            sleeper.on_wake(sleeper, woken, None)

    def wake_for(self, queue: WaitQueue, events: int) -> bool:
        """Wake the task, whatever the events are, because the task waits on this queue for one condition
        only.
        """
        self.wake(True)
        return True

    def dequeue(self) -> None:
        """Remove this sleep from all its wait queues and cancel its timer."""
        self.sleeper = None
        for queue in self.queues:
            queue.discard(self)
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None


class Sleep(Sleeping):
    """An awaitable sleep. Its result is True if a queue was woken, False if the deadline passed."""

    __slots__ = ("_queues", "exclusive", "interruptible")

    exclusive: bool

    def __init__(
        self,
        queues: tuple[WaitQueue, ...],
        interruptible: bool = True,
        deadline: int | None = None,
        exclusive: bool = False,
    ) -> None:
        self.deadline = deadline
        self.timer = None
        self.sleeper = None
        self.exclusive = exclusive
        self.queue = queues[0] if len(queues) == 1 else None
        self._queues = queues
        self.interruptible = interruptible

    @property
    def queues(self) -> tuple[WaitQueue, ...]:
        return self._queues

    def __await__(self) -> Generator[Sleep, bool, bool]:
        return (yield self)


class IdleSleep(Sleep):
    """The sleep of an idle kernel thread (TASK_IDLE)."""

    __slots__ = ()

    idle = True


class BlockedCall(Sleeping):
    """A blocked system call that only has to retry its operation after a wake-up.

    The runner retries the operation without a coroutine, which is faster than `sleep_on` in one.  While
    `held` is True, the call has a reference to `file`, so another thread cannot release the file by
    closing its descriptor.  If no other task shares the descriptor table, the call needs no reference
    (`fdget()`).

    At its deadline the call fails with EAGAIN.  A blocked call waits on one queue.
    """

    __slots__ = ("file", "held")

    file: HeldFile
    held: bool

    def hold(self) -> None:
        """Take a reference to the file, so that it stays open if its descriptor is closed."""
        self.file.get()
        self.held = True

    def release(self) -> None:
        """Drop the reference to the file, if the call has one."""
        if self.held:
            self.held = False
            self.file.put()

    def retry(self, task: Any) -> Any:
        """Retry the operation. Return its result, or None if it has no result yet. The operation may raise
        WouldBlock.
        """
        raise NotImplementedError

    def still_blocked(self, blocked: WouldBlock) -> None:
        """Wait on the queue of `blocked` from now on. `blocked` is the WouldBlock that the last retry
        raised.
        """
        self.queue = blocked.queue


class Blocked(BlockedCall):
    """A blocked call that retries its operation by calling a function. If this function raises WouldBlock,
    the next retry calls the function `WouldBlock.retry` of the exception.
    """

    __slots__ = ("_retry", "exclusive")

    exclusive: bool

    def __init__(
        self,
        queue: WaitQueue,
        retry: Callable[[], Any],
        file: HeldFile,
        deadline: int | None,
        exclusive: bool,
    ) -> None:
        self.deadline = deadline
        self.timer = None
        self.sleeper = None
        self.queue = queue
        self.file = file
        self.hold()
        self.exclusive = exclusive
        self._retry = retry

    def retry(self, task: object) -> Any:
        return self._retry()

    def still_blocked(self, blocked: WouldBlock) -> None:
        super().still_blocked(blocked)
        self._retry = blocked.retry


class Elapse:
    """An awaitable that completes when the simulated clock has advanced by the costs charged so far. Unlike
    in a sleep, the task keeps its CPU.
    """

    __slots__ = ()

    def __await__(self) -> Generator[Elapse, Any, None]:
        yield self


async def elapse() -> None:
    """Wait until the simulated clock has advanced by the costs charged so far. Events of other tasks that are
    due before the new time run first.
    """
    await Elapse()


async def sleep_on(
    *queues: WaitQueue, interruptible: bool = True, deadline: int | None = None, exclusive: bool = False
) -> bool:
    """Sleep until one of `queues` is woken, then return True. If the simulated time `deadline` (ns) comes
    first, return False.

    Raises InterruptedError (EINTR) if the sleep is `interruptible` and a signal is pending.
    """
    return await Sleep(queues, interruptible, deadline, exclusive)


async def maybe(result: T | Awaitable[T]) -> T:
    """Return the result of a plain or `async def` function.  Raise SimulationError for a generator
    function.
    """
    if inspect.isawaitable(result):
        return await result
    refuse_generator(result)
    return result


def refuse_generator(result: object) -> None:
    """Raise SimulationError if `result` is a generator. A generator function runs no statement of its body
    when it is called.
    """
    if isinstance(result, Generator | AsyncGenerator):
        name = getattr(result, "__qualname__", "the function")
        raise SimulationError(f"{name} contains yield and does not run when called: write it without yield")
