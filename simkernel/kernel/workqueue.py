"""Workqueues: functions that run later in process context, where they may sleep (kernel/workqueue.c).

Theory of operation.  A queue starts a worker thread when work is queued, no worker is idle and fewer than
`max_active` workers exist. Idle workers stay.  A work item that is already queued is not queued again, and
it never runs on two workers at the same time. If it is queued while it runs, it runs once more afterwards.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import attrs

from simkernel.engine import Engine, SimulationError
from simkernel.engine import Timer as Event
from simkernel.kernel.lib.layers import DRIVER, KERNEL
from simkernel.kernel.module.module import LoadedModule
from simkernel.kernel.module.resources import Resource, Resources
from simkernel.kernel.oops import Oopses
from simkernel.kernel.sched.wait import IdleSleep, WaitQueue, maybe, sleep_on

Function = Callable[["Work"], Awaitable[None] | None]
StartThread = Callable[[str, Coroutine[Any, Any, None]], object]

MAX_ACTIVE = 256
"""Maximum number of work items of a queue that run at the same time (WQ_DFL_ACTIVE)."""


@attrs.define(eq=False, repr=False)
class Work:
    """A work item: a function and its state (`struct work_struct`, `struct delayed_work`)."""

    module: LoadedModule | None
    name: str
    function: Function
    pending: bool = False
    """True while the item is in the queue or its delay runs."""
    running: bool = False
    queue: WorkQueue | None = None
    """The workqueue on which the item was queued last."""
    delay: Event | None = None
    flow: int = 0
    expired_flow: int = 0
    """Id of the item's trace flow at the last expiry of its delay. If the item is queued again in the same
    flow, the next expiry begins a new flow. A trace flow is the records that one message or frame causes.
    """
    resource: Resource | None = None


@attrs.define(eq=False, repr=False)
class WorkQueue:
    """A queue of work items and its worker threads (`struct workqueue_struct`)."""

    name: str
    max_active: int
    _engine: Engine
    _oopses: Oopses
    _resources: Resources
    _start_thread: StartThread
    executed: int = 0
    """Number of work items that the queue has run."""
    _items: deque[Work] = attrs.field(factory=deque)
    _workers: int = 0
    _idle: int = 0
    _stopping: bool = False
    _more: WaitQueue = attrs.field(init=False)
    _done: WaitQueue = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._more = WaitQueue(f"work for {self.name}")
        self._done = WaitQueue(f"the end of work of {self.name}")

    # -- queueing -----------------------------------------------------------

    def add(self, work: Work) -> bool:
        """Queue `work` (`queue_work()`).  Return False if it is already pending."""
        if work.pending:
            return False
        self._claim(work)
        self._enqueue(work)
        return True

    def add_delayed(self, work: Work, delay: int) -> bool:
        """Queue `work` after `delay` ns (`queue_delayed_work()`).  Return False if it is already pending."""
        if work.pending:
            return False
        self._claim(work)
        work.delay = self._engine.call_later(delay, self._expire, work)
        return True

    def _claim(self, work: Work) -> None:
        work.pending = True
        work.queue = self
        work.flow = self._engine.trace.flow
        if work.resource is None:
            work.resource = self._resources.add(
                work.module, "work", work.name, lambda: self.cancel_sync(work)
            )

    def _expire(self, work: Work) -> None:
        """Queue `work` when its delay has expired (`delayed_work_timer_fn()`)."""
        self._engine.trace.follow(work.flow, work.expired_flow)
        work.flow = work.expired_flow = self._engine.trace.flow
        with self._oopses.contain(work.module, f"timer of work {work.name}"):
            self._delay_over(work)

    def _delay_over(self, work: Work) -> None:
        work.delay = None
        self._enqueue(work)

    def _enqueue(self, work: Work) -> None:
        """Append `work` to the queue, and wake an idle worker or start a new one.

        Raises SimulationError if the queue is destroyed (`__queue_work()` warns).
        """
        self._items.append(work)
        if self._idle:
            self._more.wake_up()
        elif self._stopping:
            raise SimulationError(
                f"workqueue {self.name} is destroyed: stop queueing work before you destroy it"
            )
        else:
            self._start_worker()

    def _start_worker(self) -> None:
        if self._workers < self.max_active:
            self._workers += 1
            self._start_thread(f"kworker/{self.name}", self._worker())

    # -- waiting and cancelling -----------------------------------------------

    def cancel(self, work: Work) -> bool:
        """Cancel `work` if it is pending: remove it from the queue (`cancel_work()`).

        Return True if the work item was pending.
        """
        if not work.pending:
            return False
        if work.delay is not None:
            work.delay.cancel()
            work.delay = None
        else:
            self._items.remove(work)
        work.pending = False
        self._release_idle(work)
        return True

    async def cancel_sync(self, work: Work) -> None:
        """Cancel `work` if it is pending. If it is running, wait until it has ended
        (`cancel_work_sync()`).
        """
        self.cancel(work)
        while work.running:
            await sleep_on(self._done, interruptible=False)
            self.cancel(work)

    async def flush_work(self, work: Work) -> None:
        """Wait until `work` has run.  If its delay has not expired, queue it now (`flush_delayed_work()`)."""
        if work.delay is not None:
            work.delay.cancel()
            self._delay_over(work)
        while work.pending or work.running:
            await sleep_on(self._done, interruptible=False)

    async def flush(self) -> None:
        """Wait until all items that are queued now have run (`flush_workqueue()`)."""
        for work in tuple(self._items):
            await self.flush_work(work)

    async def destroy(self) -> None:
        """Run the queued items, then end the workers (`destroy_workqueue()`)."""
        while self._items:
            await self.flush()
        self._stopping = True
        self._more.wake_up_all()
        while self._workers:
            await sleep_on(self._done, interruptible=False)

    def _release_idle(self, work: Work) -> None:
        """Remove a work item from the kernel's table of objects that modules have registered, unless the item
        is pending or runs.
        """
        if work.resource is not None and not work.pending and not work.running:
            self._resources.remove(work.resource)
            work.resource = None

    # -- workers ------------------------------------------------------------

    async def _worker(self) -> None:
        """Run queued items until the queue is destroyed (`worker_thread()`)."""
        try:
            while True:
                work = self._next()
                if work is not None:
                    self._items.remove(work)
                    await self._run(work)
                elif self._stopping:
                    return
                else:
                    self._idle += 1
                    try:
                        await IdleSleep((self._more,), interruptible=False, exclusive=True)
                    finally:
                        self._idle -= 1
        finally:
            self._workers -= 1
            self._done.wake_up_all()

    def _next(self) -> Work | None:
        """Return the first queued item that no worker is running, or None. An item can be queued again while
        it runs.
        """
        return next((work for work in self._items if not work.running), None)

    async def _run(self, work: Work) -> None:
        """Run the function of a work item in the current worker thread (`process_one_work()`)."""
        trace = self._engine.trace
        layer, track = (DRIVER, work.module.name) if work.module else (KERNEL, "workqueue")
        work.pending = False
        work.running = True
        if not self._idle and self._next() is not None:
            self._start_worker()  # another worker runs the next item, because this one may sleep
        trace.flow = work.flow
        if (emit := trace.emit) is not None:
            emit("workqueue_execute_start", layer, track, function=work.name)
        try:
            with self._oopses.contain(work.module, f"work {work.name}"):
                await maybe(work.function(work))
        finally:
            work.running = False
            self._release_idle(work)
            self.executed += 1
            if (emit := trace.emit) is not None:
                emit("workqueue_execute_end", layer, track, function=work.name)
            self._done.wake_up_all()


class WorkQueues:
    """The workqueues of a machine.  `system` is the shared one (`system_wq`)."""

    def __init__(
        self, engine: Engine, oopses: Oopses, resources: Resources, start_thread: StartThread
    ) -> None:
        self._arguments = (engine, oopses, resources, start_thread)
        self._resources = resources
        self._queues: dict[WorkQueue, Resource | None] = {}
        self.system = WorkQueue("events", MAX_ACTIVE, *self._arguments)
        self._queues[self.system] = None
        self._executed_before = 0

    @property
    def executed(self) -> int:
        """Number of work items that have run on all workqueues, including destroyed ones."""
        return self._executed_before + sum(queue.executed for queue in self._queues)

    def allocate(self, module: LoadedModule | None, name: str, max_active: int = MAX_ACTIVE) -> WorkQueue:
        """Create a workqueue (`alloc_workqueue()`).  With `max_active` 1 it runs its items in order."""
        self._resources.allocate(module, "workqueue")
        queue = WorkQueue(name, max_active, *self._arguments)
        self._queues[queue] = self._resources.add(module, "workqueue", name, lambda: self.destroy(queue))
        return queue

    async def destroy(self, queue: WorkQueue) -> None:
        """Run the queued items, then destroy the workqueue."""
        await queue.destroy()
        if queue in self._queues:
            self._executed_before += queue.executed
        resource = self._queues.pop(queue, None)
        if resource is not None:
            self._resources.remove(resource)
