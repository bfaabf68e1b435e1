"""What programs do with an open event device: the file operations of drivers/input/evdev.c."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Final

from simkernel.driverapi.fasync import fasync_helper
from simkernel.driverapi.fs import File, FileOperations, stream_open
from simkernel.driverapi.poll import PollTable, poll_wait
from simkernel.driverapi.spinlock import spin_lock_init
from simkernel.driverapi.trace import trace_follow
from simkernel.driverapi.wait import init_waitqueue_head, wait_event_interruptible
from simkernel.uapi.errno import EAGAIN, EINVAL, ENODEV, os_error
from simkernel.uapi.fcntl import O_NONBLOCK
from simkernel.uapi.input import InputEvent
from simkernel.uapi.poll import POLLERR, POLLHUP, POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM

from .evdev_client import Client, buffer_size
from .evdev_device import Evdev, is_alive, ungrab
from .evdev_ioctl import ioctl
from .events import input_inject_event
from .handle import input_close_device, input_open_device

WRITTEN_AT_ONCE: Final = 4096
"""Bytes that one write takes at most."""


def _open(file: File) -> None:
    """`evdev_open()`.  ENODEV."""
    evdev: Evdev = file.cdev.data
    dev = evdev.handle.dev
    if not evdev.exist:
        raise os_error(ENODEV)
    name = evdev.handle.name
    client = Client(
        evdev,
        spin_lock_init(evdev.core.this, f"buffer of {name}"),
        init_waitqueue_head(f"events of {name}"),
        buffer_size(dev),
    )
    if not evdev.open:
        input_open_device(evdev.handle)
    evdev.open += 1
    evdev.clients.append(client)
    file.private_data = client
    stream_open(file)


def _release(file: File) -> None:
    """`evdev_release()`."""
    client: Client = file.private_data
    evdev: Evdev = client.evdev
    if evdev.grab is client:
        ungrab(evdev, client)
    evdev.clients.remove(client)
    if evdev.exist:
        evdev.open -= 1
        if not evdev.open:
            input_close_device(evdev.handle)


def _read(file: File, size: int, position: int) -> bytes | Awaitable[bytes]:
    """Whole events of whole packets.  EINVAL if not even one fits, EAGAIN, ENODEV."""
    if 0 < size < InputEvent.SIZE:
        raise os_error(EINVAL)
    client: Client = file.private_data
    data = _take(file, client, size)
    return data if data or not size else _wait(file, client, size)


async def _wait(file: File, client: Client, size: int) -> bytes:
    data = b""
    while not data:
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


def _write(file: File, data: bytes, position: int) -> int:
    """Put events into the device as if they came from it.  EINVAL for less than one, ENODEV."""
    client: Client = file.private_data
    data = data[:WRITTEN_AT_ONCE]
    if 0 < len(data) < InputEvent.SIZE:
        raise os_error(EINVAL)
    if not is_alive(client):
        raise os_error(ENODEV)
    whole = len(data) - len(data) % InputEvent.SIZE
    for _, _, type, code, value in InputEvent.LAYOUT.iter_unpack(data[:whole]):
        input_inject_event(client.evdev.handle, type, code, value)
    return whole


def _poll(file: File, table: PollTable) -> int:
    """`evdev_poll()`."""
    client: Client = file.private_data
    poll_wait(client.wait, table)
    events = POLLOUT | POLLWRNORM if is_alive(client) else POLLHUP | POLLERR
    return events | POLLIN | POLLRDNORM if client.readable else events


def _fasync(file: File, fd: int, on: bool) -> None:
    fasync_helper(file, fd, on, file.private_data.fasync)


OPERATIONS: Final = FileOperations(
    open=_open, release=_release, read=_read, write=_write, ioctl=ioctl, poll=_poll, fasync=_fasync
)
