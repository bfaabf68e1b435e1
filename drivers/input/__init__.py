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

from .core import InputCore
from .evdev import make_handler

MODULE = Module(
    license="GPL",
    version="1.0",
    author="The simkernel authors",
    description="The input core, and event devices",
    aliases=("input:b*v*p*e*-e*k*r*a*m*l*s*f*w*", "char-major-13-*"),
    exports=(
        InputCore.input_allocate_device,
        InputCore.input_set_capability,
        InputCore.input_register_device,
        InputCore.input_unregister_device,
        InputCore.input_set_timestamp,
        InputCore.input_event,
        InputCore.input_sync,
        InputCore.input_register_handler,
        InputCore.input_unregister_handler,
    ),
)


async def init(this: ThisModule) -> InputCore:
    """The core, with evdev as its handler."""
    core = InputCore(this)
    await core.input_register_handler(make_handler(core))
    return core


async def exit(this: ThisModule, core: InputCore) -> None:
    """No device is left: drivers have gone before."""
    for handler in tuple(core.handlers):
        await core.input_unregister_handler(handler)
    core.stop()
