"""evdev: event devices such as /dev/input/event0, one for each input device (drivers/input/evdev.c).

Each open file has a ring of events (evdev_client.py), so a slow reader does not affect the others.  A
reader can grab the device, and then it is the only one that receives events (evdev_device.py).  The file
operations are in evdev_files.py, the ioctls in evdev_ioctl.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from simkernel.driverapi.compiler import READ_ONCE
from simkernel.driverapi.device import device_create, device_unregister
from simkernel.driverapi.fasync import POLL_HUP, POLL_IN, kill_fasync
from simkernel.driverapi.fs import cdev_add, cdev_del, cdev_init
from simkernel.driverapi.mutex import mutex_init
from simkernel.driverapi.rcupdate import rcu_dereference
from simkernel.driverapi.spinlock import spin_lock_init
from simkernel.driverapi.trace import trace_flow
from simkernel.driverapi.wait import wake_up_interruptible

from .core import INPUT_MAJOR, InputCore
from .device import InputDev, Value
from .evdev_device import Evdev
from .evdev_files import OPERATIONS
from .handle import (
    InputHandle,
    InputHandler,
    input_close_device,
    input_register_handle,
    input_unregister_handle,
)

EVDEV_MINOR_BASE: Final = 64
EVDEV_MINORS: Final = 32


def make_handler(core: InputCore) -> InputHandler:
    """Return the input handler evdev. The input core connects this handler to every input device."""
    return InputHandler("evdev", lambda handler, dev: _connect(core, handler, dev), _disconnect, _events)


async def _connect(core: InputCore, handler: InputHandler, dev: InputDev) -> None:
    """Make an event device for an input device (`evdev_connect()`)."""
    minor = core.input_get_new_minor(EVDEV_MINOR_BASE, EVDEV_MINORS)
    own = minor < EVDEV_MINOR_BASE + EVDEV_MINORS
    name = f"event{minor - EVDEV_MINOR_BASE if own else minor}"
    handle = InputHandle(handler, dev, name)
    mutex, lock = mutex_init(core.this, name), spin_lock_init(core.this, f"clients of {name}")
    evdev = handle.private = Evdev(core, handle, minor, mutex, lock)
    evdev.cdev = cdev_init(core.this, OPERATIONS, data=evdev)
    await input_register_handle(handle)
    number = INPUT_MAJOR, minor
    try:
        cdev_add(evdev.cdev, number)
        evdev.device = device_create(
            core.this, core.kind, dev.device, name, node=f"input/{name}", number=number
        )
    except OSError:
        cdev_del(evdev.cdev)
        await input_unregister_handle(handle)
        core.input_free_minor(minor)
        raise


async def _disconnect(handle: InputHandle) -> None:
    """Remove an event device: its node first, then wake all readers (`evdev_disconnect()`)."""
    evdev: Evdev = handle.private
    device_unregister(evdev.device)
    cdev_del(evdev.cdev)
    async with evdev.mutex:
        evdev.exist = False
    with evdev.client_lock:
        for client in evdev.clients:
            kill_fasync(client.fasync, POLL_HUP)
            wake_up_interruptible(client.wait)
    if evdev.open:
        await input_close_device(handle)
    evdev.core.input_free_minor(evdev.minor)
    await input_unregister_handle(handle)


def _events(handle: InputHandle, values: Sequence[Value]) -> None:
    """Pass a packet to all readers, or only to the one that has grabbed the device (`evdev_events()`)."""
    evdev: Evdev = handle.private
    flow = trace_flow(evdev.core.this)
    grab = rcu_dereference(evdev.grab)
    for client in rcu_dereference(evdev.clients) if grab is None else (grab,):
        # No lock, as on Linux: a packet can get the old clock's time while EVIOCSCLOCKID sets a new clock.
        clock = READ_ONCE(client.clock)
        if not READ_ONCE(client.revoked) and client.pass_values(values, evdev.time(clock), flow):
            kill_fasync(client.fasync, POLL_IN)
            wake_up_interruptible(client.wait)
