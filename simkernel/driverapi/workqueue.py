"""include/linux/workqueue.h: functions called later, where they may sleep.

work = init_work(this, refresh)              # async def refresh(work: Work) -> None
schedule_work(work)                          # from anywhere, an interrupt handler too
await cancel_work_sync(work)                 # before what it uses goes away
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
    """A work item, which calls `function` with itself."""
    return Work(module_of(this), function_name(function), function)


def schedule_work(work: Work) -> bool:
    """Queue `work` on the system's queue; False if it is queued already."""
    return _system(work).add(work)


def schedule_delayed_work(work: Work, delay: int) -> bool:
    """Queue `work` on the system's queue in `delay` ns; False if it is queued already."""
    return _system(work).add_delayed(work, delay)


def queue_work(queue: WorkQueue, work: Work) -> bool:
    """Queue `work` on a queue of your own; False if it is queued already."""
    return queue.add(work)


def queue_delayed_work(queue: WorkQueue, work: Work, delay: int) -> bool:
    """Queue `work` on a queue of your own in `delay` ns; False if it is queued already."""
    return queue.add_delayed(work, delay)


@sleeps
def cancel_work_sync(work: Work) -> Awaitable[None]:
    """Take `work` back, and wait for it if it runs.  Afterwards it does not run."""
    queue = work.queue or _system(work)
    return may_sleep(this_of(work.module), "cancel_work_sync", queue.cancel_sync, work)


@sleeps
def flush_work(work: Work) -> Awaitable[None]:
    """Wait until `work`, if it is queued, has run."""
    queue = work.queue or _system(work)
    return may_sleep(this_of(work.module), "flush_work", queue.flush_work, work)


def alloc_workqueue(this: ThisModule, name: str, max_active: int) -> WorkQueue:
    """A queue of your own, of which at most `max_active` items run at a time."""
    return kernel_of(this).work_queues.allocate(module_of(this), name, max_active)


def alloc_ordered_workqueue(this: ThisModule, name: str) -> WorkQueue:
    """A queue of your own, whose items run one after the other, in the order in which they came."""
    return kernel_of(this).work_queues.allocate(module_of(this), name, 1)


@sleeps
def destroy_workqueue(this: ThisModule, queue: WorkQueue) -> Awaitable[None]:
    """Run what is queued, then give the queue back."""
    return may_sleep(this, "destroy_workqueue", kernel_of(this).work_queues.destroy, queue)


def _system(work: Work) -> WorkQueue:
    return kernel_of(this_of(work.module)).work_queues.system
