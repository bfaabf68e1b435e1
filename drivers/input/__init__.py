"""input: the input subsystem. It connects the drivers of mice, keyboards and similar devices to the programs
that read their events.

This module is not a driver: it binds no device.  A driver allocates an input device, sets its
capabilities, registers it and reports events.  Programs read the events from /dev/input/event0.

Read the files in this order:

    device.py         an input device and its attributes
    events.py         the processing of an event
    handle.py         handlers, and their handles on devices
    core.py           registration of devices and handlers
    attributes.py, inhibit.py   the attributes of a device in sysfs
    evdev.py          the handler that makes event devices for programs
    evdev_device.py, evdev_client.py, evdev_files.py, evdev_ioctl.py   the parts of evdev

On Linux, this is drivers/input/input.c and evdev.c.
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
    """Create the input core and register evdev as its handler."""
    core = InputCore(this)
    await core.input_register_handler(make_handler(core))
    return core


async def exit(this: ThisModule, core: InputCore) -> None:
    """Unregister the input handlers and release the input core.

    All devices are gone, because the modules of their drivers were unloaded first.
    """
    for handler in tuple(core.handlers):
        await core.input_unregister_handler(handler)
    core.stop()
