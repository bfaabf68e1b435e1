"""The file operations of an event device (drivers/input/evdev.c)."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Final

from simkernel.driverapi.fasync import fasync_helper
from simkernel.driverapi.fs import File, FileOperations, later, stream_open
from simkernel.driverapi.mutex import mutex_interruptible, mutex_trylock, mutex_unlock
from simkernel.driverapi.poll import PollTable, poll_wait
from simkernel.driverapi.rcupdate import rcu_assign_pointer
from simkernel.driverapi.spinlock import spin_lock_init
from simkernel.driverapi.trace import trace_follow
from simkernel.driverapi.wait import init_waitqueue_head, wait_event_interruptible
from simkernel.uapi.errno import EAGAIN, EINVAL, ENODEV, os_error
from simkernel.uapi.fcntl import O_NONBLOCK
from simkernel.uapi.input import InputEvent
from simkernel.uapi.poll import POLLERR, POLLHUP, POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM

from .evdev_client import Client, buffer_size
from .evdev_device import Evdev, is_alive
from .evdev_ioctl import ioctl
from .events import input_inject_event
from .handle import close_device, input_open_device, release_device

MAX_WRITE: Final = 4096
"""Maximum number of bytes that one write consumes."""


async def _open(file: File) -> None:
    """Open an event device (`evdev_open()`).  Raise ENODEV if the device is gone."""
    evdev: Evdev = file.cdev.data
    dev = evdev.handle.dev
    name = evdev.handle.name
    client = Client(
        evdev,
        spin_lock_init(evdev.core.this, f"buffer of {name}"),
        init_waitqueue_head(f"events of {name}"),
        buffer_size(dev),
    )
    with evdev.client_lock:
        rcu_assign_pointer(evdev, "clients", (*evdev.clients, client))
    try:
        await _open_device(evdev)
    except BaseException:
        _detach(client)
        raise
    file.private_data = client
    stream_open(file)


async def _open_device(evdev: Evdev) -> None:
    """Open the input device for the first reader (`evdev_open_device()`). Raise ENODEV if the device is gone,
    EINTR if a signal arrives.
    """
    async with mutex_interruptible(evdev.mutex):
        if not evdev.exist:
            raise os_error(ENODEV)
        if not evdev.open:
            await input_open_device(evdev.handle)
        evdev.open += 1


def _detach(client: Client) -> None:
    """Remove a reader from the device (`evdev_detach_client()`)."""
    evdev: Evdev = client.evdev
    with evdev.client_lock:
        others = tuple(each for each in evdev.clients if each is not client)
        rcu_assign_pointer(evdev, "clients", others)


def _release(file: File) -> Awaitable[None] | None:
    """Close a file of an event device (`evdev_release()`). Sleep only if another task holds the mutex of
    the event device or of the input device.
    """
    client: Client = file.private_data
    mutexes = client.evdev.mutex, client.evdev.handle.dev.mutex
    taken = [mutex for mutex in mutexes if mutex_trylock(mutex)]
    try:
        if len(taken) < len(mutexes):
            return later(_release_locked, client)
        _close(client)
    finally:
        for mutex in reversed(taken):
            mutex_unlock(mutex)
    return None


async def _release_locked(client: Client) -> None:
    async with client.evdev.mutex, client.evdev.handle.dev.mutex:
        _close(client)


def _close(client: Client) -> None:
    """Close a file of an event device. The caller holds the mutexes of the event device and of the input
    device.
    """
    evdev: Evdev = client.evdev
    if evdev.grab is client:
        rcu_assign_pointer(evdev, "grab", None)
        release_device(evdev.handle)
    _detach(client)
    if evdev.exist:
        evdev.open -= 1
        if not evdev.open:
            close_device(evdev.handle)


def _read(file: File, size: int, position: int) -> bytes | Awaitable[bytes]:
    """Read whole events from complete packets. Block until the ring holds a complete packet.

    Raise EINVAL if `size` is less than one event, EAGAIN if the file is non-blocking and the ring is
    empty, ENODEV if the device is gone.
    """
    if 0 < size < InputEvent.SIZE:
        raise os_error(EINVAL)
    client: Client = file.private_data
    data = _take(file, client, size)
    return data if data or not size else _wait(file, client, size)


async def _wait(file: File, client: Client, size: int) -> bytes:
    data = b""
    while not data:
        # The ring holds no complete packet. Another task that reads this file may have removed the last one.
        # If the file is non-blocking, do not wait: _take() raises EAGAIN.
        if not file.flags & O_NONBLOCK:
            await wait_event_interruptible(client.wait, lambda: client.readable or not is_alive(client))
        data = _take(file, client, size)
    return data


def _take(file: File, client: Client, size: int) -> bytes:
    if not is_alive(client):
        raise os_error(ENODEV)
    if not client.readable and file.flags & O_NONBLOCK:
        raise os_error(EAGAIN)
    data = client.fetch(size // InputEvent.SIZE)
    if data:
        trace_follow(client.evdev.core.this, client.flow)
    return data


async def _write(file: File, data: bytes, position: int) -> int:
    """Inject events into the device as if its hardware had reported them.

    Raise EINVAL if `data` is shorter than one event, ENODEV if the device is gone, EINTR if a signal
    arrives.
    """
    client: Client = file.private_data
    data = data[:MAX_WRITE]
    if 0 < len(data) < InputEvent.SIZE:
        raise os_error(EINVAL)
    whole = len(data) - len(data) % InputEvent.SIZE
    async with mutex_interruptible(client.evdev.mutex):
        if not is_alive(client):
            raise os_error(ENODEV)
        for _, _, type, code, value in InputEvent.LAYOUT.iter_unpack(data[:whole]):
            input_inject_event(client.evdev.handle, type, code, value)
    return whole


def _poll(file: File, table: PollTable) -> int:
    """Return the poll events of an event device (`evdev_poll()`)."""
    client: Client = file.private_data
    poll_wait(client.wait, table)
    events = POLLOUT | POLLWRNORM if is_alive(client) else POLLHUP | POLLERR
    return events | POLLIN | POLLRDNORM if client.readable else events


def _fasync(file: File, fd: int, on: bool) -> None:
    fasync_helper(file, fd, on, file.private_data.fasync)


OPERATIONS: Final = FileOperations(
    open=_open, release=_release, read=_read, write=_write, ioctl=ioctl, poll=_poll, fasync=_fasync
)
