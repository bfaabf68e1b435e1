"""input: the input subsystem, between drivers of mice and the like and the programs that read them.

It is no driver: it serves no device of its own.  A driver allocates an input device, says what it can do,
registers it and tells of events; programs read them from /dev/input/event0.

Read it in this order:
    device.py         what an input device is
    events.py         what becomes of an event
    handle.py         who listens to a device
    core.py           devices and listeners brought together
    attributes.py, inhibit.py   what a device shows below /sys, and what can be set there
    evdev.py          the listener that programs know: event devices
    evdev_device.py, evdev_client.py, evdev_files.py, evdev_ioctl.py   what they are made of

It is what Linux has as drivers/input/input.c and evdev.c, as one module.
"""

from __future__ import annotations

from simkernel.driverapi.module import Module, ThisModule
from simkernel.uapi.input_event_codes import EV_SYN, SYN_REPORT

from . import core as _core
from . import events as _events
from .core import (
    InputCore,
    input_allocate_device,
    input_register_device,
    input_register_handler,
    input_set_capability,
    input_unregister_device,
    input_unregister_handler,
)
from .device import InputDev
from .evdev import make_handler

__all__ = [
    "input_allocate_device",
    "input_register_device",
    "input_register_handler",
    "input_set_capability",
    "input_unregister_device",
    "input_unregister_handler",
]

MODULE = Module(
    license="GPL",
    version="1.0",
    author="The simkernel authors",
    description="The input core, and event devices",
    aliases=("input:b*v*p*e*-e*k*r*a*m*l*s*f*w*", "char-major-13-*"),
    exports=(
        "input_allocate_device",
        "input_set_capability",
        "input_register_device",
        "input_unregister_device",
        "input_set_timestamp",
        "input_event",
        "input_sync",
        "input_register_handler",
        "input_unregister_handler",
    ),
)


def init(this: ThisModule) -> InputCore:
    """The core, with evdev as its handler."""
    core = _core.start(this)
    input_register_handler(core, make_handler(core))
    return core


def exit(this: ThisModule, core: InputCore) -> None:
    """No device is left: drivers have gone before."""
    for handler in tuple(core.handlers):
        input_unregister_handler(core, handler)
    _core.stop(core)


def input_event(core: InputCore, dev: InputDev, type: int, code: int, value: int) -> None:
    """Tell of an event; may be called in interrupt context."""
    _events.input_event(dev, type, code, value)


def input_sync(core: InputCore, dev: InputDev) -> None:
    """Tell that what happened together is complete."""
    _events.input_event(dev, EV_SYN, SYN_REPORT, 0)


def input_set_timestamp(core: InputCore, dev: InputDev, time: int) -> None:
    """When what comes next happened, in ns of the machine's clock, if the hardware has said so."""
    _events.input_set_timestamp(dev, time)
