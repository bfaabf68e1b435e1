"""The input core: which devices there are and who may listen, brought together (drivers/input/input.c)."""

from __future__ import annotations

from itertools import chain
from typing import Final

import attrs

from simkernel.driverapi.device import (
    Class,
    Device,
    class_register,
    class_unregister,
    device_create,
    device_unregister,
)
from simkernel.driverapi.fs import register_chrdev_region, unregister_chrdev_region
from simkernel.driverapi.module import ThisModule
from simkernel.driverapi.printk import pr_err, pr_info
from simkernel.driverapi.spinlock import spin_lock_init
from simkernel.driverapi.unmodelled import unmodelled
from simkernel.uapi.errno import EINVAL, ENODEV, ENOSPC, os_error
from simkernel.uapi.input_event_codes import EV_KEY, EV_SYN, KEY_RESERVED, MAX_CODE, TYPE_NAMES

from .attributes import ATTRIBUTES
from .bits import codes
from .device import InputDev, estimate_events_per_packet, variables
from .events import DISPOSITIONS, release_keys
from .handle import InputHandler

NAME: Final = "input"
INPUT_MAJOR: Final = 13
INPUT_MAX_CHAR_DEVICES: Final = 1024
INPUT_FIRST_DYNAMIC_DEV: Final = 256
NUMBERS: Final = (INPUT_MAJOR, 0)
"""Where the nodes of all handlers are: a range each, as long as there is room, and then a common one."""


@attrs.define(eq=False)
class InputCore:
    """One load of the module."""

    this: ThisModule
    kind: Class
    devices: list[InputDev] = attrs.field(factory=list)
    handlers: list[InputHandler] = attrs.field(factory=list)
    minors: set[int] = attrs.field(factory=set)
    allocated: int = 0
    """How many devices there have been: their numbers are not used again."""


def start(this: ThisModule) -> InputCore:
    """The class `input`, and numbers for its nodes (`input_init()`)."""
    core = InputCore(this, class_register(this, NAME))
    try:
        register_chrdev_region(this, NUMBERS, INPUT_MAX_CHAR_DEVICES, NAME)
    except OSError:
        pr_err(this, f"unable to register char major {INPUT_MAJOR}")
        class_unregister(core.kind)
        raise
    return core


def stop(core: InputCore) -> None:
    """Nothing is left: whoever imports from here has gone before, or this could not be unloaded."""
    unregister_chrdev_region(core.this, NUMBERS, INPUT_MAX_CHAR_DEVICES)
    class_unregister(core.kind)


# -- devices ------------------------------------------------------------------------


def input_allocate_device(core: InputCore, owner: ThisModule, parent: Device | None = None) -> InputDev:
    """A device for the module `owner`, below `parent`, to be set up and registered."""
    number = core.allocated
    core.allocated += 1
    return InputDev(owner, parent, spin_lock_init(owner, f"events of input{number}"), number)


def input_set_capability(core: InputCore, dev: InputDev, type: int, code: int) -> None:
    """Say that the device makes events of a type with a code.  What there is not is logged and ignored."""
    if type not in MAX_CODE:
        pr_err(core.this, f"input_set_capability: unknown type {type} (code {code})")
    elif code > MAX_CODE[type]:
        pr_err(core.this, f"input_set_capability: invalid code {code} for type {type}")
    else:
        dev.bits[type] = dev.bits.get(type, 0) | 1 << code
        dev.evbit |= 1 << type


def input_register_device(core: InputCore, dev: InputDev) -> None:
    """Announce a device, and let who may listen be joined to it.  EEXIST for a name that is taken."""
    for type in codes(dev.evbit):
        if type not in DISPOSITIONS:
            what = TYPE_NAMES.get(type, f"type {type:#x}")
            raise unmodelled(core.this, f"an input device with {what}", EINVAL)
    dev.evbit |= 1 << EV_SYN
    dev.bits = {type: bits for type, bits in dev.bits.items() if dev.evbit >> type & 1}
    dev.bits[EV_KEY] = dev.bits.get(EV_KEY, 0) & ~(1 << KEY_RESERVED)
    dev.hint_events_per_packet = max(dev.hint_events_per_packet, estimate_events_per_packet(dev))
    dev.max_values = max(dev.max_values, dev.hint_events_per_packet + 2)
    dev.device = device_create(
        dev.owner, core.kind, dev.parent, dev.label,
        data=dev, environment=variables(dev), attributes=ATTRIBUTES,
    )  # fmt: skip
    pr_info(core.this, f"{dev.name or 'Unspecified device'} as {dev.device.devpath}")
    core.devices.append(dev)
    for handler in core.handlers:
        _attach(core, dev, handler)


def input_unregister_device(core: InputCore, dev: InputDev) -> None:
    """Take a device away: held keys are told to be released, and who listens is disconnected.

    Harmless if that has been done, or if it was never registered.
    """
    if dev not in core.devices:
        return
    dev.going_away = True
    with dev.lock:
        release_keys(dev)
        for handle in dev.handles:
            handle.open = 0
    for handle in tuple(dev.handles):
        handle.handler.disconnect(handle)
    core.devices.remove(dev)
    if dev.device is not None:
        device_unregister(dev.device)


# -- handlers -----------------------------------------------------------------------


def input_register_handler(core: InputCore, handler: InputHandler) -> None:
    """Let a handler listen, to the devices that are there and to those that come."""
    core.handlers.append(handler)
    for dev in core.devices:
        _attach(core, dev, handler)


def input_unregister_handler(core: InputCore, handler: InputHandler) -> None:
    """Disconnect a handler from its devices and forget it."""
    for handle in tuple(handler.handles):
        handler.disconnect(handle)
    core.handlers.remove(handler)


def _attach(core: InputCore, dev: InputDev, handler: InputHandler) -> None:
    """`input_attach_handler()`: a handler that does not want the device says ENODEV."""
    try:
        handler.connect(handler, dev)
    except OSError as error:
        if error.errno != ENODEV:
            pr_err(
                core.this,
                f"failed to attach handler {handler.name} to device {dev.label}, error: -{error.errno}",
            )


def input_get_new_minor(core: InputCore, legacy_base: int, legacy_count: int) -> int:
    """The lowest minor that is free in a handler's own range, or else in that of all.  ENOSPC."""
    own = range(legacy_base, legacy_base + legacy_count)
    for minor in chain(own, range(INPUT_FIRST_DYNAMIC_DEV, INPUT_MAX_CHAR_DEVICES)):
        if minor not in core.minors:
            core.minors.add(minor)
            return minor
    raise os_error(ENOSPC)


def input_free_minor(core: InputCore, minor: int) -> None:
    """Give a minor back."""
    core.minors.discard(minor)
