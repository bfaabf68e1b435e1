"""epoll: notification about events on many files (fs/eventpoll.c).

An item is a watched file and stays in the wait queues of this file. A wake-up puts it on the ready list.
epoll_wait(2) goes through the ready list and polls each file.  A file that is not ready is dropped from
the list.  A file that is ready goes to the end of the list, unless it is edge-triggered (EPOLLET) or
one-shot (EPOLLONESHOT).

An epoll file may watch another one, up to `MAX_NESTS` levels deep and without cycles.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import chain, dropwhile
from typing import Final

import attrs

from simkernel.engine import Engine
from simkernel.kernel.lib.costs import CostModel
from simkernel.kernel.sched.wait import WaitQueue
from simkernel.kernel.vfs.file import FileObject, OpenFile, inode_and_device
from simkernel.kernel.vfs.task import Task
from simkernel.uapi import eventpoll as ep
from simkernel.uapi.errno import EEXIST, EINVAL, ELOOP, ENOENT, os_error

PRIVATE_BITS: Final = ep.EPOLLWAKEUP | ep.EPOLLONESHOT | ep.EPOLLET | ep.EPOLLEXCLUSIVE
"""Bits of the event mask that are flags and not events (EP_PRIVATE_BITS)."""
IN_OUT_BITS: Final = ep.EPOLLIN | ep.EPOLLOUT
EXCLUSIVE_OK_BITS: Final = PRIVATE_BITS & ~ep.EPOLLONESHOT | IN_OUT_BITS | ep.EPOLLERR | ep.EPOLLHUP

MAX_NESTS: Final = 4
"""Maximum nesting depth of epoll files (EP_MAX_NESTS)."""

PATH_LIMITS: Final = (1000, 500, 100, 50, 10)
"""Limits for the number of paths from a watched file to outermost epoll files (`path_limits`). Item n is the
limit for paths with n other epoll files in between. Item 0 has no effect: Linux does not limit the number of
direct paths.
"""

Event = tuple[int, int]
"""An event as epoll_wait(2) returns it: the event bits, and the data that the program has stored for the
descriptor.
"""


@attrs.define(eq=False, repr=False)
class EpollItem:
    """A registration with epoll_ctl(2): `epoll` watches the open file `file` for the descriptor `fd` (`struct
    epitem`).
    """

    epoll: EventPoll
    file: OpenFile
    fd: int
    events: int
    data: int
    exclusive: bool
    queues: tuple[WaitQueue, ...] = ()

    def poll(self) -> int:
        """Return the requested events that hold now (`ep_item_poll()`)."""
        return self.file.object.poll_for(self.events) & self.events

    def wake(self, woken: bool) -> None:
        """Handle a wake-up without an event mask, which may stand for any event."""
        self.wake_for(self.queues[0], 0)

    def wake_for(self, queue: WaitQueue, events: int) -> bool:
        """Put the item on the ready list and wake the epoll's waiters (`ep_poll_callback()`).

        Return False if an exclusive item did not wake a waiter, so that the next one is tried.
        """
        if not self.events & ~PRIVATE_BITS or (events and not events & self.events):
            return not self.exclusive
        epoll = self.epoll
        epoll.ready.setdefault(self)
        harvested = bool(epoll.waiters) and self._wakes_exclusive(events)
        epoll.waiters.wake_up()
        epoll.watchers.wake_up_poll(ep.EPOLLIN)
        return not self.exclusive or harvested

    def _wakes_exclusive(self, events: int) -> bool:
        """Return True if a wake-up for `events` may stop after it has woken this EPOLLEXCLUSIVE item. If
        False, the wait queue also wakes the next exclusive waiter.
        """
        in_out = events & IN_OUT_BITS
        return not in_out or (in_out != IN_OUT_BITS and bool(in_out & self.events))

    def remove(self) -> None:
        """Remove the item from its epoll file (`ep_remove()`)."""
        self.epoll.forget(self)


class EventPoll(FileObject):
    """An epoll file (`struct eventpoll`).

    `items` are the watched files, by open file and descriptor. `ready` is the ready list, in order. Tasks
    in epoll_wait(2) wait on `waiters`. Pollers of the epoll file, and items of other epoll files, wait on
    `watchers`.
    """

    __slots__ = ("_costs", "_engine", "file", "items", "ready", "wait_queues", "waiters", "watchers")

    ioctl_table = "epoll"

    description = "anon_inode:[eventpoll]"

    def __init__(self, engine: Engine, costs: CostModel) -> None:
        self._engine = engine
        self._costs = costs
        self.file: OpenFile | None = None
        """The `OpenFile` that epoll_create1(2) creates for this epoll file. None until then."""
        self.items: dict[tuple[OpenFile, int], EpollItem] = {}
        self.ready: dict[EpollItem, None] = {}
        self.waiters = WaitQueue("an epoll")
        self.watchers = WaitQueue("a watched epoll")
        self.wait_queues: tuple[WaitQueue, ...] = (self.watchers,)

    # -- control ----------------------------------------------------------------

    def control(self, operation: int, file: OpenFile, fd: int, events: int, data: int) -> None:
        """Add, change or remove an item (epoll_ctl(2), `do_epoll_ctl()`).

        The caller has looked up both descriptors and checked that `file` can be polled. Raises EEXIST,
        ENOENT, EINVAL or ELOOP.
        """
        target = file.object
        if operation != ep.EPOLL_CTL_DEL:
            events &= ~ep.EPOLLWAKEUP  # EPOLLWAKEUP has no effect, because a machine never suspends
        nested = target if isinstance(target, EventPoll) else None
        if file is self.file:
            raise os_error(EINVAL)
        adding = operation == ep.EPOLL_CTL_ADD
        may = EXCLUSIVE_OK_BITS if adding and nested is None else 0
        if operation != ep.EPOLL_CTL_DEL and events & ep.EPOLLEXCLUSIVE and events & ~may:
            raise os_error(EINVAL)
        if nested is not None and adding:
            _check_loop(self, nested)
        item = self.items.get((file, fd))
        if adding:
            if item is not None:
                raise os_error(EEXIST)
            self._insert(file, fd, events | ep.EPOLLERR | ep.EPOLLHUP, data)
        elif operation not in (ep.EPOLL_CTL_DEL, ep.EPOLL_CTL_MOD):
            raise os_error(EINVAL)
        elif item is None:
            raise os_error(ENOENT)
        elif operation == ep.EPOLL_CTL_DEL:
            self.forget(item)
        elif item.exclusive:
            raise os_error(EINVAL)
        else:
            item.events = events | ep.EPOLLERR | ep.EPOLLHUP
            item.data = data
            self._check_ready(item)

    def _insert(self, file: OpenFile, fd: int, events: int, data: int) -> None:
        """Create an item that watches `file`, and add it to the wait queues of this file (`ep_insert()`).
        Raise EINVAL if too many paths lead to the file.
        """
        item = EpollItem(self, file, fd, events, data, bool(events & ep.EPOLLEXCLUSIVE))
        self.items[file, fd] = item
        if file.watchers is None:
            file.watchers = []
        file.watchers.append(item)
        try:
            _check_paths(self, file)
        except OSError:
            self.forget(item)
            raise
        item.queues = file.object.wait_queues
        for queue in item.queues:
            (queue.add if item.exclusive else queue.add_first)(item)
        self._check_ready(item)

    def _check_ready(self, item: EpollItem) -> None:
        self._engine.charged += self._costs.epoll
        if item.poll() and item not in self.ready:
            self.ready[item] = None
            self.waiters.wake_up()
            self.watchers.wake_up_poll(ep.EPOLLIN)

    def forget(self, item: EpollItem) -> None:
        """Remove an item from the epoll file and from the wait queues of its file."""
        for queue in item.queues:
            queue.discard(item)
        if item.file.watchers is not None and item in item.file.watchers:
            item.file.watchers.remove(item)
        self.items.pop((item.file, item.fd), None)
        self.ready.pop(item, None)

    # -- ready files --------------------------------------------------------------

    def send_events(self, maxevents: int) -> list[Event]:
        """Return up to `maxevents` events of ready files (`ep_send_events()`)."""
        batch, self.ready = self.ready, {}
        found: list[Event] = []
        again: list[EpollItem] = []
        items = iter(batch)
        left: list[EpollItem] = []
        for item in items:
            if len(found) == maxevents:
                left = [item, *items]
                break
            self._engine.charged += self._costs.epoll
            if not (events := item.poll()):
                continue
            found.append((events, item.data))
            if item.events & ep.EPOLLONESHOT:
                item.events &= PRIVATE_BITS
            elif not item.events & ep.EPOLLET:
                again.append(item)
        self._restore_ready(left, again)
        return found

    def _restore_ready(self, left: list[EpollItem], again: list[EpollItem]) -> None:
        """Rebuild the ready list. It begins with the items that were not reported (`left`). Then come the
        items that became ready meanwhile, and last the reported level-triggered items (`again`).
        """
        meanwhile = (item for item in self.ready if item not in again)
        self.ready = dict.fromkeys(chain(left, meanwhile, again))
        if self.ready:
            self.waiters.wake_up()

    def poll(self) -> int:
        """Return EPOLLIN if an item is ready (`__ep_eventpoll_poll()`)."""
        batch, self.ready = self.ready, {}
        left = list(dropwhile(lambda item: not item.poll(), batch))
        self._restore_ready(left, [])
        return ep.EPOLLIN | ep.EPOLLRDNORM if left else 0

    # -- file operations ----------------------------------------------------------

    def ioctl(self, task: Task, file: OpenFile, request: int, argument: int) -> int:
        """Raise EINVAL for an unknown request (`ep_eventpoll_ioctl()`)."""
        raise os_error(EINVAL)

    def llseek(self, task: Task, file: OpenFile, offset: int, whence: int) -> int:
        """Return 0 and change nothing, because the file has no position (`noop_llseek()`)."""
        return 0

    def release(self) -> None:
        """Wake the pollers of this epoll file and the epoll files that watch it, and remove all items
        (`ep_clear_and_put()`).
        """
        self.watchers.wake_up_poll(ep.EPOLLIN)
        for item in tuple(self.items.values()):
            self.forget(item)

    def fdinfo(self) -> str:
        """Return a line for each item (`ep_show_fdinfo()`).

        The lines are in the order of insertion. On Linux the order depends on the addresses of the files.
        """
        lines = []
        for item in self.items.values():
            number, device = inode_and_device(item.file)
            lines.append(
                f"tfd: {item.fd:8d} events: {item.events:8x} data: {item.data:16x} "
                f" pos:{item.file.position} ino:{number:x} sdev:{device:x}\n"
            )
        return "".join(lines)


# -- epoll files that watch epoll files -----------------------------------------


def _check_loop(outer: EventPoll, inner: EventPoll) -> None:
    """Raise ELOOP if adding `inner` to `outer` makes a cycle or nests too deeply (`ep_loop_check()`)."""
    down = _depth(inner, outer)
    if down is None or down + 1 + _height(outer) > MAX_NESTS:
        raise os_error(ELOOP)


def _watched(epoll: EventPoll) -> Iterator[EventPoll]:
    for item in epoll.items.values():
        watched = item.file.object
        if isinstance(watched, EventPoll):
            yield watched


def _watching(file: OpenFile | None) -> Iterator[EventPoll]:
    for item in (file.watchers or ()) if file is not None else ():
        assert isinstance(item, EpollItem)
        yield item.epoll


def _depth(epoll: EventPoll, outer: EventPoll) -> int | None:
    """Return how many levels of epoll files are nested below `epoll`, or None if `outer` is one of these
    files.
    """
    deepest = 0
    for inner in _watched(epoll):
        below = None if inner is outer else _depth(inner, outer)
        if below is None:
            return None
        deepest = max(deepest, below + 1)
    return deepest


def _height(epoll: EventPoll) -> int:
    """Return the number of levels of epoll files above `epoll`: those that watch it, directly or through
    other epoll files.
    """
    return max((_height(outer) + 1 for outer in _watching(epoll.file)), default=0)


def _check_paths(epoll: EventPoll, file: OpenFile) -> None:
    """Raise EINVAL if too many paths lead from a watched file to outer epoll files
    (`reverse_path_check()`).
    """
    if not any(_watching(epoll.file)) and not isinstance(file.object, EventPoll):
        return
    for leaf in _leaves(file):
        counts: Counter[int] = Counter()
        if not _count(leaf, 0, counts):
            raise os_error(EINVAL)


def _leaves(file: OpenFile) -> Iterator[OpenFile]:
    """If `file` is an epoll file, yield all non-epoll files that it watches, directly or through other epoll
    files. Otherwise, yield `file` itself.
    """
    if isinstance(file.object, EventPoll):
        for item in file.object.items.values():
            yield from _leaves(item.file)
    else:
        yield file


def _count(file: OpenFile, length: int, counts: Counter[int]) -> bool:
    if length > MAX_NESTS:
        return False
    for outer in _watching(file):
        if outer.file is not None and outer.file.watchers:
            if not _count(outer.file, length + 1, counts):
                return False
        elif length:
            counts[length] += 1
            if counts[length] > PATH_LIMITS[length]:
                return False
    return True
