"""include/linux/workqueue.h: work items. A work item calls a function later, in a context that can sleep.

work = init_work(this, refresh)              # async def refresh(work: Work) -> None
schedule_work(work)                          # from any context, including an interrupt handler
await cancel_work_sync(work)                 # before the data that `refresh` uses is freed
"""

from __future__ import annotations

from collections.abc import Awaitable

from simkernel.driverapi.context import kernel_of, may_sleep, module_of, this_of
from simkernel.kernel.irq.descriptor import function_name
from simkernel.kernel.module.awaiting import sleeps
from simkernel.kernel.module.module import ThisModule
from simkernel.kernel.workqueue import Function
from simkernel.kernel.workqueue import Work as Work
from simkernel.kernel.workqueue import WorkQueue as WorkQueue


def init_work(this: ThisModule, function: Function) -> Work:
    """Return a new work item, which calls `function(work)`."""
    return Work(module_of(this), function_name(function), function)


def schedule_work(work: Work) -> bool:
    """Queue `work` on the system's work queue. Return False if `work` is already queued."""
    return _system(work).add(work)


def schedule_delayed_work(work: Work, delay: int) -> bool:
    """Queue `work` on the system's work queue after `delay` ns. Return False if `work` is already queued."""
    return _system(work).add_delayed(work, delay)


def queue_work(queue: WorkQueue, work: Work) -> bool:
    """Queue `work` on `queue`, a work queue of the module. Return False if `work` is already queued."""
    return queue.add(work)


def queue_delayed_work(queue: WorkQueue, work: Work, delay: int) -> bool:
    """Queue `work` on `queue`, a work queue of the module, after `delay` ns. Return False if `work` is
    already queued.
    """
    return queue.add_delayed(work, delay)


@sleeps
def cancel_work_sync(work: Work) -> Awaitable[None]:
    """Remove `work` from its queue. If `work` is running, wait until it has ended. When this function
    returns, `work` is neither queued nor running.
    """
    queue = work.queue or _system(work)
    return may_sleep(this_of(work.module), "cancel_work_sync", queue.cancel_sync, work)


@sleeps
def flush_work(work: Work) -> Awaitable[None]:
    """Wait until `work` has run, if it is queued or running."""
    queue = work.queue or _system(work)
    return may_sleep(this_of(work.module), "flush_work", queue.flush_work, work)


def alloc_workqueue(this: ThisModule, name: str, max_active: int) -> WorkQueue:
    """Create a work queue for the module. At most `max_active` items run concurrently."""
    return kernel_of(this).work_queues.allocate(module_of(this), name, max_active)


def alloc_ordered_workqueue(this: ThisModule, name: str) -> WorkQueue:
    """Create a work queue for the module. Its items run one at a time, in the order of queueing."""
    return kernel_of(this).work_queues.allocate(module_of(this), name, 1)


@sleeps
def destroy_workqueue(this: ThisModule, queue: WorkQueue) -> Awaitable[None]:
    """Run all queued items, then destroy the queue."""
    return may_sleep(this, "destroy_workqueue", kernel_of(this).work_queues.destroy, queue)


def _system(work: Work) -> WorkQueue:
    return kernel_of(this_of(work.module)).work_queues.system
