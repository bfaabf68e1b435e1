"""Handlers and handles: a handler is a way to listen, such as evdev; a handle joins it to a device."""

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
    """`struct input_handler`.

    `connect(handler, dev)` is called for each device and registers a handle if it wants to listen;
    `disconnect(handle)` when the device or the handler goes.  `events(handle, values)` gets a packet,
    under the device's lock and often in interrupt context.
    """

    name: str
    connect: Callable[[InputHandler, InputDev], Awaitable[None]]
    disconnect: Callable[[InputHandle], Awaitable[None]]
    events: Callable[[InputHandle, Sequence[Value]], None]
    handles: list[InputHandle] = attrs.field(factory=list)


@attrs.define(eq=False)
class InputHandle:
    """`struct input_handle`; `open` counts who wants events, and `private` is the handler's own."""

    handler: InputHandler
    dev: InputDev
    name: str
    private: Any = None
    open: int = 0


async def input_register_handle(handle: InputHandle) -> None:
    """Join a handler to a device; the core's mutex is held."""
    async with handle.dev.mutex:
        rcu_assign_pointer(handle.dev, "handles", (*handle.dev.handles, handle))
    handle.handler.handles.append(handle)


async def input_unregister_handle(handle: InputHandle) -> None:
    """Take them apart; the core's mutex is held."""
    handle.handler.handles.remove(handle)
    async with handle.dev.mutex:
        others = tuple(each for each in handle.dev.handles if each is not handle)
        rcu_assign_pointer(handle.dev, "handles", others)


async def input_open_device(handle: InputHandle) -> None:
    """Open the handle: events come through it.  ENODEV for a device that goes away; EINTR."""
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
    """Let no more events come through the handle, once for each time it was opened."""
    async with handle.dev.mutex:
        close_device(handle)


def close_device(handle: InputHandle) -> None:
    """`input_close_device()`; the device's mutex is held."""
    dev = handle.dev
    release_device(handle)
    dev.users -= 1
    if not dev.users and not dev.inhibited and dev.close is not None:
        dev.close(dev)
    handle.open -= 1


async def input_grab_device(handle: InputHandle) -> None:
    """Grab the device: its events come through this handle only.  EBUSY if another has grabbed it; EINTR."""
    async with mutex_interruptible(handle.dev.mutex):
        if handle.dev.grab is not None:
            raise os_error(EBUSY)
        rcu_assign_pointer(handle.dev, "grab", handle)


async def input_release_device(handle: InputHandle) -> None:
    """Let them come to everybody again, if this handle has grabbed it."""
    async with handle.dev.mutex:
        release_device(handle)


def release_device(handle: InputHandle) -> None:
    """`__input_release_device()`; the device's mutex is held."""
    if handle.dev.grab is handle:
        rcu_assign_pointer(handle.dev, "grab", None)
