"""The sysfs attribute `inhibited` of an input device (drivers/input/input.c).

While a device is inhibited, its events are ignored and it is closed, as if it had no users.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Final

from simkernel.driverapi.mutex import mutex_guarded
from simkernel.uapi.errno import EINVAL, os_error

from .device import InputDev
from .events import SYNC, handle_event, release_keys

BOOLEANS: Final = {
    "y": True,
    "t": True,
    "1": True,
    "n": False,
    "f": False,
    "0": False,
    "on": True,
    "of": False,
}
"""A map from the first one or two characters of a text, in lower case, to the boolean that the text means
(`kstrtobool()`).
"""


def set_inhibited(dev: InputDev, data: bytes) -> Awaitable[None] | None:
    """Inhibit or uninhibit a device.  Raise EINVAL if `data` is not a boolean."""
    text = data.decode("latin-1").lower()
    inhibited = BOOLEANS.get(text[:1], BOOLEANS.get(text[:2]))
    if inhibited is None:
        raise os_error(EINVAL)
    return mutex_guarded(dev.mutex, _set_inhibited, dev, inhibited)


def _set_inhibited(dev: InputDev, inhibited: bool) -> None:
    if inhibited != dev.inhibited:
        (_inhibit if inhibited else _uninhibit)(dev)


def _inhibit(dev: InputDev) -> None:
    """Close a device, release its held keys and ignore its events from now on (`input_inhibit_device()`)."""
    if dev.users and dev.close is not None:
        dev.close(dev)
    with dev.lock:
        release_keys(dev)
        handle_event(dev, *SYNC)
    dev.inhibited = True


def _uninhibit(dev: InputDev) -> None:
    """Open a device again if it has users (`input_uninhibit_device()`)."""
    if dev.users and dev.open is not None:
        dev.open(dev)
    dev.inhibited = False
