"""/dev/ipc_demo/event: a timer sends events, in interrupt context, to every listener.

The queue of a listener is bounded.  If it is full, the listener loses the event; a gap in the event
numbers shows the loss.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

from simkernel.driverapi.compiler import READ_ONCE
from simkernel.driverapi.eventfd import EventFd, eventfd_ctx_fdget, eventfd_signal
from simkernel.driverapi.fasync import POLL_IN, FasyncList, fasync_helper, kill_fasync
from simkernel.driverapi.fs import File, FileOperations
from simkernel.driverapi.ktime import ktime_get
from simkernel.driverapi.mm import PAGE_SIZE, VmArea, remap_vmalloc_range, vmalloc_user
from simkernel.driverapi.module import ThisModule
from simkernel.driverapi.poll import PollTable, poll_wait
from simkernel.driverapi.spinlock import spin_lock_init
from simkernel.driverapi.sysfs import DeviceAttribute
from simkernel.driverapi.timer import Timer, mod_timer, timer_delete, timer_setup
from simkernel.driverapi.uaccess import copy_from_user, copy_to_user
from simkernel.driverapi.wait import init_waitqueue_head, wait_event_interruptible, wake_up_interruptible
from simkernel.uapi import ipc_demo as uapi
from simkernel.uapi.errno import EAGAIN, EINVAL, ENOTTY, os_error
from simkernel.uapi.fcntl import O_NONBLOCK
from simkernel.uapi.poll import POLLIN, POLLRDNORM

MAX_QUEUE: Final = 64
"""Maximum number of events in the queue of one listener."""


class Listener:
    """An open file: its unread events, and the eventfd that it has registered."""

    def __init__(self) -> None:
        self.queue: deque[bytes] = deque()
        self.eventfd: EventFd | None = None


class Events:
    """The timer that sends events, and the listeners that receive them. The timer's callback can run at any
    time, so `lock` protects both.
    """

    def __init__(self, this: ThisModule) -> None:
        self.this = this
        self.lock = spin_lock_init(this, "events of ipc_demo")
        self.waiting = init_waitqueue_head("events of ipc_demo")
        self.fasync = FasyncList()
        self.listeners: list[Listener] = []
        self.memory = vmalloc_user(PAGE_SIZE)
        """A page that holds the most recent event, for programs that map the page."""
        self.multicast: Callable[[uapi.IpcDemoEvent], None] = lambda event: None
        self.last = uapi.IpcDemoEvent(0, 0)
        self._timer = timer_setup(this, self._begin)
        self._left = 0
        self._interval = 0
        self._due = 0

    def start(self, count: int, interval: int) -> None:
        """Send `count` events, `interval` ns apart. Cancel the events that an earlier start() has not sent
        yet.

        Raise EINVAL if `count` or `interval` is not positive.
        """
        if count <= 0 or interval <= 0:
            raise os_error(EINVAL)
        with self.lock:
            self._left, self._interval = count, interval
            self._due = ktime_get(self.this) + interval
            mod_timer(self._timer, self._due)

    def stop(self) -> None:
        """Cancel all pending events."""
        timer_delete(self._timer)

    def attribute(self) -> DeviceAttribute:
        """Return the sysfs attribute `last`, which shows the number and the time of the most recent event."""
        return DeviceAttribute("last", show=lambda device: "{0.number} {0.time}\n".format(self.latest()))

    def latest(self) -> uapi.IpcDemoEvent:
        """Return the most recent event. Its number is 0 if no event was sent yet."""
        with self.lock:
            return self.last

    def _begin(self, timer: Timer) -> None:
        with self.lock:
            self._left -= 1
            self.last = event = uapi.IpcDemoEvent(self.last.number + 1, self._due)
            if self._left:
                self._due += self._interval
                mod_timer(timer, self._due)
            record = event.pack()
            self.memory[: len(record)] = record
            for listener in self.listeners:
                if listener.eventfd is not None:
                    eventfd_signal(listener.eventfd)
                elif len(listener.queue) < MAX_QUEUE:
                    listener.queue.append(record)
        wake_up_interruptible(self.waiting)
        kill_fasync(self.fasync, POLL_IN)
        self.multicast(event)


def open(file: File) -> None:
    """Add a listener for an open file."""
    events = _events(file)
    file.private_data = Listener()
    with events.lock:
        events.listeners.append(file.private_data)


def release(file: File) -> None:
    """Remove the listener of a closed file."""
    events = _events(file)
    with events.lock:
        events.listeners.remove(file.private_data)


async def read(file: File, size: int, position: int) -> bytes:
    """Return as many event records as fit into `size`; block until one is queued.

    Raise EINVAL if `size` is less than one record, EAGAIN if the file is non-blocking and the queue is
    empty.
    """
    events = _events(file)
    listener: Listener = file.private_data
    if size < uapi.IpcDemoEvent.SIZE:
        raise os_error(EINVAL)
    while True:
        with events.lock:
            count = min(len(listener.queue), size // uapi.IpcDemoEvent.SIZE)
            records = [listener.queue.popleft() for _ in range(count)]
        if records:
            return b"".join(records)
        if file.flags & O_NONBLOCK:
            raise os_error(EAGAIN)
        # The wait condition takes no lock: if another reader takes the event first, this reader waits again.
        await wait_event_interruptible(events.waiting, lambda: READ_ONCE(listener.queue))


def ioctl(file: File, request: int, argument: int) -> int:
    """Execute IPC_DEMO_START, IPC_DEMO_LAST or IPC_DEMO_SET_EVENTFD.  Raise ENOTTY for other requests."""
    if request == uapi.IPC_DEMO_START:
        start = uapi.IpcDemoStart.unpack(copy_from_user(file, argument, uapi.IpcDemoStart.SIZE))
        _events(file).start(start.count, start.interval)
    elif request == uapi.IPC_DEMO_LAST:
        copy_to_user(file, argument, _events(file).latest().pack())
    elif request == uapi.IPC_DEMO_SET_EVENTFD:
        context = eventfd_ctx_fdget(file, argument)
        with _events(file).lock:
            file.private_data.eventfd = context
    else:
        raise os_error(ENOTTY)
    return 0


def mmap(file: File, area: VmArea) -> None:
    """Map a page that contains the most recent event. All programs share the page, and the mapping is
    read-only.

    Raise EINVAL if it would be writable.
    """
    if area.writable:
        raise os_error(EINVAL)
    memory = READ_ONCE(_events(file).memory)  # no lock: `memory` is set only once
    remap_vmalloc_range(area, memory, area.offset)


def poll(file: File, table: PollTable) -> int:
    """Return POLLIN if the queue of the listener has a record."""
    poll_wait(_events(file).waiting, table)
    return POLLIN | POLLRDNORM if READ_ONCE(file.private_data.queue) else 0


def fasync(file: File, fd: int, on: bool) -> None:
    """Enable or disable SIGIO for events (O_ASYNC)."""
    fasync_helper(file, fd, on, _events(file).fasync)


def _events(file: File) -> Events:
    events: Events = file.cdev.data
    return events


OPERATIONS: Final = FileOperations(
    open=open, release=release, read=read, ioctl=ioctl, mmap=mmap, poll=poll, fasync=fasync
)
