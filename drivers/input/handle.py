"""Input handlers, and the handles that connect handlers to devices (drivers/input/input.c).

A handler, such as evdev, receives events.  A handle connects it to one device.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import attrs

from simkernel.driverapi.mutex import mutex_interruptible
from simkernel.driverapi.rcupdate import rcu_assign_pointer
from simkernel.uapi.errno import EBUSY, ENODEV, os_error

from .device import InputDev, Value


@attrs.define(eq=False)
class InputHandler:
    """An input handler, such as evdev, which receives the events of devices (`struct input_handler`).

    The core calls `connect(handler, dev)` for each device; it registers a handle if the handler supports
    the device.  The core calls `disconnect(handle)` when the device or the handler is unregistered.  It
    calls `events(handle, values)` with each packet, under the device's lock and often in interrupt
    context.
    """

    name: str
    connect: Callable[[InputHandler, InputDev], Awaitable[None]]
    disconnect: Callable[[InputHandle], Awaitable[None]]
    events: Callable[[InputHandle, Sequence[Value]], None]
    handles: list[InputHandle] = attrs.field(factory=list)


@attrs.define(eq=False)
class InputHandle:
    """A handler's connection to a device (`struct input_handle`).

    `open` counts the users of the handle.  `private` belongs to the handler.
    """

    handler: InputHandler
    dev: InputDev
    name: str
    private: Any = None
    open: int = 0


async def input_register_handle(handle: InputHandle) -> None:
    """Add a handle to its device and its handler.  The caller holds the core's mutex."""
    async with handle.dev.mutex:
        rcu_assign_pointer(handle.dev, "handles", (*handle.dev.handles, handle))
    handle.handler.handles.append(handle)


async def input_unregister_handle(handle: InputHandle) -> None:
    """Remove a handle from its device and its handler.  The caller holds the core's mutex."""
    handle.handler.handles.remove(handle)
    async with handle.dev.mutex:
        others = tuple(each for each in handle.dev.handles if each is not handle)
        rcu_assign_pointer(handle.dev, "handles", others)


async def input_open_device(handle: InputHandle) -> None:
    """Open a handle, so that the handle receives events.

    Raise ENODEV if the device is being unregistered, EINTR if a signal arrives.
    """
    async with mutex_interruptible(handle.dev.mutex):
        _open(handle)


def _open(handle: InputHandle) -> None:
    dev = handle.dev
    if dev.going_away:
        raise os_error(ENODEV)
    handle.open += 1
    dev.users += 1
    if dev.users == 1 and not dev.inhibited and dev.open is not None:
        try:
            dev.open(dev)
        except OSError:
            dev.users -= 1
            handle.open -= 1
            raise


async def input_close_device(handle: InputHandle) -> None:
    """Close a handle. If it was opened n times, it still receives events until it has been closed n times."""
    async with handle.dev.mutex:
        close_device(handle)


def close_device(handle: InputHandle) -> None:
    """Like `input_close_device`, but without locking. The caller holds the device's mutex."""
    dev = handle.dev
    release_device(handle)
    dev.users -= 1
    if not dev.users and not dev.inhibited and dev.close is not None:
        dev.close(dev)
    handle.open -= 1


async def input_grab_device(handle: InputHandle) -> None:
    """Grab the device: the events of the device reach only this handle.

    Raise EBUSY if another handle has grabbed the device, EINTR if a signal arrives.
    """
    async with mutex_interruptible(handle.dev.mutex):
        if handle.dev.grab is not None:
            raise os_error(EBUSY)
        rcu_assign_pointer(handle.dev, "grab", handle)


async def input_release_device(handle: InputHandle) -> None:
    """End the grab if this handle holds it, so that all handles receive events."""
    async with handle.dev.mutex:
        release_device(handle)


def release_device(handle: InputHandle) -> None:
    """Like `input_release_device`, but without locking (`__input_release_device()`).

    The caller holds the device's mutex.
    """
    if handle.dev.grab is handle:
        rcu_assign_pointer(handle.dev, "grab", None)
