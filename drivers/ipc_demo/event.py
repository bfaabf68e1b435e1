"""/dev/ipc_demo/event: a timer sends events, in interrupt context, to every listener.

The queue of a listener is bounded.  An event that finds it full is lost for that listener; a gap in the
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
"""Events in the queue of one listener."""


class Listener:
    """An open file: its unread events, and the eventfd that it has set."""

    def __init__(self) -> None:
        self.queue: deque[bytes] = deque()
        self.eventfd: EventFd | None = None


class Events:
    """The events of one load of the module, and their listeners.  `lock` protects both from the timer."""

    def __init__(self, this: ThisModule) -> None:
        self.this = this
        self.lock = spin_lock_init(this, "events of ipc_demo")
        self.waiting = init_waitqueue_head("events of ipc_demo")
        self.fasync = FasyncList()
        self.listeners: list[Listener] = []
        self.memory = vmalloc_user(PAGE_SIZE)
        """The last event, for programs that map it."""
        self.multicast: Callable[[uapi.IpcDemoEvent], None] = lambda event: None
        self.last = uapi.IpcDemoEvent(0, 0)
        self._timer = timer_setup(this, self._begin)
        self._left = 0
        self._interval = 0
        self._due = 0

    def start(self, count: int, interval: int) -> None:
        """Send `count` events, `interval` ns apart, in place of those that are pending.  EINVAL."""
        if count <= 0 or interval <= 0:
            raise os_error(EINVAL)
        with self.lock:
            self._left, self._interval = count, interval
            self._due = ktime_get(self.this) + interval
            mod_timer(self._timer, self._due)

    def stop(self) -> None:
        """Send no more."""
        timer_delete(self._timer)

    def attribute(self) -> DeviceAttribute:
        """/sys/class/ipc_demo/event/last: number and time of the last event, for a program that polls."""
        return DeviceAttribute("last", show=lambda device: "{0.number} {0.time}\n".format(self.latest()))

    def latest(self) -> uapi.IpcDemoEvent:
        """Return the last event."""
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
    """Add a listener."""
    events = _events(file)
    file.private_data = Listener()
    with events.lock:
        events.listeners.append(file.private_data)


def release(file: File) -> None:
    """Remove the listener."""
    events = _events(file)
    with events.lock:
        events.listeners.remove(file.private_data)


async def read(file: File, size: int, position: int) -> bytes:
    """Records, as many as fit, after waiting for the first.  EINVAL if not even one fits."""
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
        # Without the lock: if another reader is faster, this one waits again.
        await wait_event_interruptible(events.waiting, lambda: READ_ONCE(listener.queue))


def ioctl(file: File, request: int, argument: int) -> int:
    """IPC_DEMO_START, IPC_DEMO_LAST, IPC_DEMO_SET_EVENTFD."""
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
    """Map the page of the last event, read-only: all programs share it."""
    if area.writable:
        raise os_error(EINVAL)
    memory = READ_ONCE(_events(file).memory)  # the page: programs read its contents without a lock anyway
    remap_vmalloc_range(area, memory, area.offset)


def poll(file: File, table: PollTable) -> int:
    """Readable while the queue holds a record."""
    poll_wait(_events(file).waiting, table)
    return POLLIN | POLLRDNORM if READ_ONCE(file.private_data.queue) else 0


def fasync(file: File, fd: int, on: bool) -> None:
    """Enable or disable SIGIO for events."""
    fasync_helper(file, fd, on, _events(file).fasync)


def _events(file: File) -> Events:
    events: Events = file.cdev.data
    return events


OPERATIONS: Final = FileOperations(
    open=open, release=release, read=read, ioctl=ioctl, mmap=mmap, poll=poll, fasync=fasync
)
