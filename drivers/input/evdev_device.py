"""An event device (`struct evdev`): its readers, and the reader that has grabbed it."""

from __future__ import annotations

import attrs

from simkernel.driverapi.compiler import READ_ONCE
from simkernel.driverapi.device import Device
from simkernel.driverapi.fs import Cdev
from simkernel.driverapi.ktime import ktime_mono_to_real
from simkernel.driverapi.mutex import Mutex
from simkernel.driverapi.rcupdate import rcu_assign_pointer
from simkernel.driverapi.spinlock import SpinLock
from simkernel.driverapi.wait import wake_up_interruptible
from simkernel.uapi.errno import EBUSY, EINVAL, os_error

from .core import InputCore
from .evdev_client import CLOCK_REALTIME, Client
from .events import input_get_timestamp
from .handle import InputHandle, input_grab_device, input_release_device


@attrs.define(eq=False)
class Evdev:
    """An event device.  `exist` becomes False when the input device is unregistered; files can stay open.

    `mutex` protects `exist`, `open` and `grab`.  `client_lock` protects `clients`.  Interrupt handlers
    read `clients` and `grab` under RCU instead.
    """

    core: InputCore
    handle: InputHandle
    minor: int
    mutex: Mutex
    client_lock: SpinLock
    cdev: Cdev = attrs.field(init=False)
    device: Device = attrs.field(init=False)
    clients: tuple[Client, ...] = ()
    grab: Client | None = None
    open: int = 0
    exist: bool = True

    def time(self, clock: int) -> int:
        """Return the time of the current packet in ns, measured by the clock with the id `clock`."""
        monotonic = input_get_timestamp(self.handle.dev)
        return ktime_mono_to_real(self.core.this, monotonic) if clock == CLOCK_REALTIME else monotonic


def is_alive(client: Client) -> bool:
    """Return True if the device exists and the reader's access to it is not revoked."""
    # No lock is held here, as in Linux's evdev_read().
    return READ_ONCE(client.evdev.exist) and not READ_ONCE(client.revoked)


async def grab(evdev: Evdev, client: Client) -> None:
    """Make a reader the only one that receives events (EVIOCGRAB).  Raise EBUSY if the device is grabbed."""
    if evdev.grab is not None:
        raise os_error(EBUSY)
    await input_grab_device(evdev.handle)
    rcu_assign_pointer(evdev, "grab", client)


async def ungrab(evdev: Evdev, client: Client) -> None:
    """End a grab, so that all readers receive events.

    Raise EINVAL if this reader has not grabbed the device.
    """
    if evdev.grab is not client:
        raise os_error(EINVAL)
    rcu_assign_pointer(evdev, "grab", None)
    await input_release_device(evdev.handle)


async def revoke(evdev: Evdev, client: Client) -> None:
    """Revoke a reader's access permanently (EVIOCREVOKE) and wake the reader."""
    client.revoked = True
    if evdev.grab is client:
        await ungrab(evdev, client)
    wake_up_interruptible(client.wait)
