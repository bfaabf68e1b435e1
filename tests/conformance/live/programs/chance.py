"""Detection of steps whose results depend on chance on the host. An example ends before such a step.

* If two processes block on one queue and are woken together, either can run first.
* The garbage collector of unix sockets is a work item of the whole host: any process can start it.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations

from simkernel.kernel.sched.wait import WaitQueue
from simkernel.kernel.unix.context import UnixContext
from simkernel.kernel.vfs.eventpoll import EventPoll
from simkernel.kernel.vfs.task import Task


def order_is_open(tasks: Iterable[Task]) -> bool:
    """Return True if one event can wake two of the blocked tasks and Linux does not define which of them runs
    first.
    """
    return any(_race(one, other) for one, other in combinations(tasks, 2))


def _race(one: Task, other: Task) -> bool:
    if one.sleep is None or other.sleep is None or not _queues(one) & _queues(other):
        return False
    takes_turns = one.sleep.exclusive and other.sleep.exclusive
    return not (takes_turns and set(one.sleep.queues) & set(other.sleep.queues))


def _queues(task: Task) -> set[WaitQueue]:
    """Return the wait queues that can wake a blocked task. If the task waits for an epoll file, add the
    queues of the files that this epoll file watches.
    """
    assert task.sleep is not None
    found = set(task.sleep.queues)
    for _, file in task.files.items():
        if isinstance(file.object, EventPoll) and file.object.waiters in found:
            found |= _watched(file.object)
    return found


def _watched(epoll: EventPoll) -> set[WaitQueue]:
    found: set[WaitQueue] = set()
    for file, _ in epoll.items:
        found |= _watched(file.object) if isinstance(file.object, EventPoll) else set(file.object.wait_queues)
        found.add(getattr(file.object, "readers", epoll.waiters))
    return found


def collects_garbage(unix: UnixContext) -> bool:
    """Return True if the garbage collector for unix sockets would close a socket now. The machine cannot be
    used after this call.
    """
    return bool(unix.carriers._sockets and unix.carriers._garbage())
