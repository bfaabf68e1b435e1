"""Waiting in the kernel: wait queues, sleeps, and operations that would block.

Theory of operation.  An object (a netlink socket, a process, a mutex) never waits.  Its operations
either succeed at once or raise `WouldBlock`, which names the queue to wait on and how to go on
afterwards.  The one who called decides: a non-blocking call turns it into EAGAIN, a blocking one
sleeps on the queue and goes on.

Sleeping code is `async def` and awaits `sleep_on` or `elapse`; the task's runner is what drives it
(kernel/sched/runner.py).  All other kernel code is plain functions that run to completion.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from typing import Any, ClassVar, Protocol, TypeVar

from simkernel.engine import SimulationError, Timer

T = TypeVar("T")


class Waiter(Protocol):
    """An entry of a wait queue."""

    @property
    def exclusive(self) -> bool:
        """True if a wake-up that wakes this waiter wakes no other exclusive one."""

    def wake(self, woken: bool) -> None:
        """Take it out of all its queues and let it go on; `woken` is False if its time is up."""

    def wake_for(self, queue: WaitQueue, events: int) -> bool:
        """Wake it for poll events on `queue` (0: whatever they are); False if it does not care for them."""


class WaitQueue:
    """Who waits for one thing to happen (Linux's wait_queue_head).

    Waking wakes every waiter that is not exclusive and the first that is, as `__wake_up_common()`
    does, so that of several readers of one socket only one runs for a message.  Who is not exclusive
    stands before the others, the last to come first (`add_wait_queue()`).
    """

    __slots__ = ("_first", "_others", "name")

    def __init__(self, name: str = "") -> None:
        self.name = name
        self._first: Waiter | None = None
        self._others: list[Waiter] | None = None  # made when first needed: most queues have one place

    def __bool__(self) -> bool:
        return self._first is not None

    def __len__(self) -> int:
        return len(self._waiters())

    def _waiters(self) -> tuple[Waiter, ...]:
        return () if self._first is None else (self._first, *(self._others or ()))

    def add(self, waiter: Waiter) -> None:
        """Let a waiter stand in the queue: at its end if it is exclusive, else at its beginning."""
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
        """The same, at its beginning in any case (`__add_wait_queue_exclusive()`)."""
        if self._first is not None:
            self._others = [self._first, *(self._others or ())]
        self._first = waiter

    def discard(self, waiter: Waiter) -> None:
        """Take a waiter out, if it is in."""
        others = self._others
        if self._first is waiter:
            self._first = others.pop(0) if others else None
        elif others and waiter in others:
            others.remove(waiter)

    def wake_up(self) -> None:
        """Wake whoever is not exclusive, and one who is."""
        first = self._first
        if first is not None:
            if self._others:
                self.wake_up_poll(0)
            else:
                first.wake(True)

    def wake_up_poll(self, events: int) -> None:
        """The same, but those who poll for none of `events` are passed over (`wake_up_poll()`)."""
        for waiter in self._waiters():
            if waiter.wake_for(self, events) and waiter.exclusive:
                return

    def wake_up_all(self) -> None:
        """Wake everyone."""
        for waiter in self._waiters():
            waiter.wake(True)


class FifoQueue(WaitQueue):
    """A wait queue whose sleepers stand in the order of their calls (`wait_event_interruptible_locked()`).

    An event wakes all of them.  A poller calls `add_first`.
    """

    __slots__ = ()

    add = WaitQueue.add_last


class LockQueue(WaitQueue):
    """The wait queue of a lock."""

    __slots__ = ("lock",)

    def __init__(self, name: str, lock: object) -> None:
        super().__init__(name)
        self.lock = lock


class WouldBlock(Exception):
    """An operation cannot go on before something happens on `queue`; then `retry()` goes on.

    `done` is how much of it is done already, which is the result if it must not wait; 0: EAGAIN.  Whoever
    does not go on calls `release()`: the operation may hold something meanwhile.  Of several `exclusive`
    operations one is woken.
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
        """Nobody goes on with it."""
        if self._on_release is not None:
            self._on_release()


class Sleeper(Protocol):
    """A task that can sleep; `on_wake` is the callback invoked when its sleep ends."""

    @property
    def on_wake(self) -> Callable[[Any, bool, BaseException | None], None]: ...


class HeldFile(Protocol):
    """A reference-counted file."""

    def get(self) -> object: ...
    def put(self) -> object: ...


class Sleeping:
    """A task's place in wait queues: it waits to be woken through one, or for a deadline (ns).

    A signal ends it with EINTR if it is `interruptible`.
    """

    __slots__ = ("deadline", "queue", "sleeper", "timer")

    interruptible: bool = True
    idle: ClassVar[bool] = False
    deadline: int | None
    queue: WaitQueue | None
    """Where it stands, if that is one queue and its own place there is the usual one."""
    sleeper: Sleeper | None
    timer: Timer | None

    @property
    def exclusive(self) -> bool:
        """True if a wake-up that wakes this task wakes no other exclusive one."""
        raise NotImplementedError

    @property
    def queues(self) -> tuple[WaitQueue, ...]:
        """All where it stands."""
        return () if self.queue is None else (self.queue,)

    @property
    def where(self) -> str:
        """What is waited for, for lists of who sleeps where."""
        return ", ".join(queue.name for queue in self.queues if queue.name) or "a timer"

    def stand(self) -> None:
        """Take its place in all queues."""
        for queue in self.queues:
            queue.add(self)

    def wake(self, woken: bool) -> None:
        """End the sleep, once."""
        sleeper = self.sleeper
        if sleeper is not None:
            # INLINE: simkernel.kernel.sched.wait.Sleeping.leave, 4.5 % of blocked-100
            queue = self.queue
            if queue is None or self.timer is not None or queue._others:
                self.leave()
            else:
                self.sleeper = queue._first = None
            sleeper.on_wake(sleeper, woken, None)

    def wake_for(self, queue: WaitQueue, events: int) -> bool:
        """Who sleeps for one thing is woken whatever happened."""
        self.wake(True)
        return True

    def leave(self) -> None:
        """Stand in no queue any more, and let no timer run."""
        self.sleeper = None
        for queue in self.queues:
            queue.discard(self)
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None


class Sleep(Sleeping):
    """What sleeping code awaits: True if it was woken, False if the deadline passed."""

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
    """The sleep of a kernel thread that has nothing to do (TASK_IDLE)."""

    __slots__ = ()

    idle = True


class BlockedCall(Sleeping):
    """A system call that waits until its operation can go on, and does nothing else meanwhile.

    The runner does for it what a coroutine would do with `sleep_on`: after each wake-up it tries
    again.  `file` is `held` meanwhile, so that whoever closes the descriptor does not take it away; a task
    that has its descriptors for itself cannot (`fdget()`).
    When the deadline passes the call fails with EAGAIN.  It stands in one queue.
    """

    __slots__ = ("file", "held")

    file: HeldFile
    held: bool

    def hold(self) -> None:
        """Keep the file, whatever becomes of its descriptor."""
        self.file.get()
        self.held = True

    def release(self) -> None:
        """The end of that."""
        if self.held:
            self.held = False
            self.file.put()

    def retry(self, task: Any) -> Any:
        """The operation once more: its result, None if there is still nothing, or WouldBlock."""
        raise NotImplementedError

    def again(self, blocked: WouldBlock) -> None:
        """The operation cannot go on yet."""
        self.queue = blocked.queue


class Blocked(BlockedCall):
    """A blocked call that goes on with any function, which `WouldBlock` may change."""

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

    def again(self, blocked: WouldBlock) -> None:
        super().again(blocked)
        self._retry = blocked.retry


class Elapse:
    """What long kernel work awaits: that what it was charged passes before it goes on, on its CPU."""

    __slots__ = ()

    def __await__(self) -> Generator[Elapse, Any, None]:
        yield self


async def elapse() -> None:
    """Let the time pass that has been charged so far, so that others see things in their order."""
    await Elapse()


async def sleep_on(
    *queues: WaitQueue, interruptible: bool = True, deadline: int | None = None, exclusive: bool = False
) -> bool:
    """Sleep until one of `queues` is woken (True) or the clock shows `deadline` ns (False).

    Raises InterruptedError (EINTR) if a signal comes and the sleep is `interruptible`.
    """
    return await Sleep(queues, interruptible, deadline, exclusive)


async def maybe(result: T | Awaitable[T]) -> T:
    """Return the result of a plain or `async def` function.  SimulationError for a generator function."""
    if inspect.isawaitable(result):
        return await result
    refuse_generator(result)
    return result


def refuse_generator(result: object) -> None:
    """Raise SimulationError if `result` is a generator: its function has not run."""
    if isinstance(result, Generator | AsyncGenerator):
        name = getattr(result, "__qualname__", "the function")
        raise SimulationError(f"{name} contains yield and does not run when called: write it without yield")
