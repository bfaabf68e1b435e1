"""A device that is told to be silent: its file `inhibited` below /sys (drivers/input/input.c).

While a device is inhibited its events are ignored, and its driver is told that nobody listens.
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
"""What begins a yes or no (`kstrtobool()`)."""


def set_inhibited(dev: InputDev, data: bytes) -> Awaitable[None] | None:
    """Inhibit a device, or let it go on.  EINVAL for what is neither yes nor no."""
    text = data.decode("latin-1").lower()
    inhibited = BOOLEANS.get(text[:1], BOOLEANS.get(text[:2]))
    if inhibited is None:
        raise os_error(EINVAL)
    return mutex_guarded(dev.mutex, _set_inhibited, dev, inhibited)


def _set_inhibited(dev: InputDev, inhibited: bool) -> None:
    if inhibited != dev.inhibited:
        (_inhibit if inhibited else _uninhibit)(dev)


def _inhibit(dev: InputDev) -> None:
    """`input_inhibit_device()`: keys are not left held."""
    if dev.users and dev.close is not None:
        dev.close(dev)
    with dev.lock:
        release_keys(dev)
        handle_event(dev, *SYNC)
    dev.inhibited = True


def _uninhibit(dev: InputDev) -> None:
    """`input_uninhibit_device()`."""
    if dev.users and dev.open is not None:
        dev.open(dev)
    dev.inhibited = False
